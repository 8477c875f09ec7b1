"""What a page shows of real heads."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.heads import figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """The numbers of real heads, by text; a figure for each base that has all of them."""
    for group, rows in select.heads(records).items():
        drawings = []
        for extension in ordered(rows):
            own = [record for record in rows if extension_of(record) == extension]
            if tables.is_whole(own, extension):
                drawings.append((f"heads_{extension.base}", partial(figures.heads_figure, own)))
        title = f"Real heads against the bounds: {group.source} text"
        yield Section(title, rows, "heads", tables.heads_table(rows), tuple(drawings))
        yield Section("Real heads: scores by span", rows, "heads_spans", tables.spans_table(rows), ())
        title = "Real heads: interpolation error by layer"
        yield Section(title, rows, "heads_layers", tables.layers_table(rows), ())
