"""What a page shows of rivals."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.comparisons.rivals import figures, tables
from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Rivals of the paper's methods beside them, by text; the records are those of every seed."""
    keys = [row for row in records if (row.task, row.protocol) == ("passkey", tables.RULE) and select.plain(row)]
    for group, rows in select.perplexities(records).items():
        if not select.has_rivals(rows):
            continue
        drawings = tuple(
            (f"frontier_x{factor:g}", partial(figures.frontier_figure, own))
            for factor, own in select.by_factor(rows).items()
            if figures.frontier(own)
        )
        title = f"Methods compared: {group.task}, {group.source} text"
        yield Section(title, rows, "rivals", tables.rivals_table(rows, keys), drawings)
