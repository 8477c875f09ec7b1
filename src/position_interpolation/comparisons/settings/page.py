"""What a page shows of settings compared."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.comparisons.settings import figures, tables
from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """A sweep over learning rates, or choices compared."""
    for group, rows in select.compared(records).items():
        where = f"{group.task}, {group.source} text"
        if tables.is_sweep(rows):
            draw = partial(figures.sweep_figure, rows)
            title = f"Learning rate by steps: {where}"
            yield Section(title, "learning_rate", tables.sweep_table(rows), (("learning_rate", draw),))
        else:
            yield Section(f"Choices: {where}", "choices", tables.choices_table(rows), ())
