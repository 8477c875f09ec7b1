"""What a page shows of perplexity by position, and what it finds."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.records import Record
from position_interpolation.report import groups
from position_interpolation.report.positions import figures, tables
from position_interpolation.report.positions.findings import positions
from position_interpolation.report.section import Section
from position_interpolation.report.verdicts import Finding


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Perplexity by block of positions, by text."""
    for group, rows in groups.positions(records).items():
        title = f"Perplexity by position: {group.source} text"
        draw = partial(figures.positions_figure, rows)
        yield Section(title, "positions", tables.positions_table(rows), (("positions", draw),))


def findings(records: Sequence[Record]) -> Iterator[Finding]:
    """What holds, by text."""
    for rows in groups.positions(records).values():
        yield from positions(rows)
