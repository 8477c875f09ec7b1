"""What a page shows of summaries, and what it finds."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.records import Record
from position_interpolation.report import groups
from position_interpolation.report.govreport import figures, tables
from position_interpolation.report.govreport.findings import summaries
from position_interpolation.report.section import Section
from position_interpolation.report.verdicts import Finding


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """ROUGE by writer, by text."""
    for group, rows in groups.summaries(records).items():
        draw = partial(figures.govreport_figure, rows)
        table = tables.govreport_table(rows)
        yield Section(f"Summaries of reports: {group.source} text", "govreport", table, (("govreport", draw),))


def findings(records: Sequence[Record]) -> Iterator[Finding]:
    """What holds, by text."""
    for rows in groups.summaries(records).values():
        yield from summaries(rows)
