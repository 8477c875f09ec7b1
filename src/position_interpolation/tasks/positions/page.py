"""What a page shows of perplexity by position."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.positions import figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Perplexity by block of positions, by text."""
    for group, rows in select.positions(records).items():
        title = f"Perplexity by position: {group.source} text"
        draw = partial(figures.positions_figure, rows)
        yield Section(title, rows, "positions", tables.positions_table(rows), (("positions", draw),))
