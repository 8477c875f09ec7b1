"""What a page shows of settings compared, and what it finds."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.records import Record
from position_interpolation.report import groups
from position_interpolation.report.section import Section
from position_interpolation.report.settings import figures, tables
from position_interpolation.report.settings.findings import compared
from position_interpolation.report.verdicts import Finding


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """A sweep over learning rates, or choices compared."""
    for group, rows in groups.compared(records).items():
        where = f"{group.task}, {group.source} text"
        if tables.is_sweep(rows):
            draw = partial(figures.sweep_figure, rows)
            title = f"Learning rate by steps: {where}"
            yield Section(title, "learning_rate", tables.sweep_table(rows), (("learning_rate", draw),))
        else:
            yield Section(f"Choices: {where}", "choices", tables.choices_table(rows), ())


def findings(records: Sequence[Record]) -> Iterator[Finding]:
    """What holds, by text."""
    for rows in groups.compared(records).values():
        yield from compared(rows)
