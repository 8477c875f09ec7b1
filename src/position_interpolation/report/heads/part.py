"""What a page shows of real heads, and what it finds."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.records import Record
from position_interpolation.report import groups
from position_interpolation.report.heads import figures, tables
from position_interpolation.report.heads.findings import heads
from position_interpolation.report.labels import extension_of, ordered
from position_interpolation.report.section import Section
from position_interpolation.report.verdicts import Finding


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """The numbers of real heads, by text; a figure a base."""
    for group, rows in groups.heads(records).items():
        drawings = []
        for extension in ordered(rows):
            own = [record for record in rows if extension_of(record) == extension]
            drawings.append((f"heads_{extension.model}", partial(figures.heads_figure, own)))
        title = f"Real heads against the bounds: {group.source} text"
        yield Section(title, "heads", tables.heads_table(rows), tuple(drawings))
        yield Section("Real heads: scores by span", "heads_spans", tables.spans_table(rows), ())
        yield Section("Real heads: interpolation error by layer", "heads_layers", tables.layers_table(rows), ())


def findings(records: Sequence[Record]) -> Iterator[Finding]:
    """What holds, by text."""
    for rows in groups.heads(records).values():
        yield from heads(rows)
