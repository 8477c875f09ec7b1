"""What a page shows of summaries."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.govreport import figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """ROUGE by writer, by text."""
    for group, rows in select.summaries(records).items():
        draw = partial(figures.govreport_figure, rows)
        table = tables.govreport_table(rows)
        title = f"Summaries of reports: {group.source} text"
        yield Section(title, rows, "govreport", table, (("govreport", draw),))
