"""What a page shows of the frequencies."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.rotation import figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """What each method does to each frequency: a table per base, a figure per factor."""
    measured = [record for record in records if record.task == "rotation" and select.plain(record)]
    for model in dict.fromkeys(record.model for record in measured):
        found = [record for record in measured if record.model == model]
        whole = tables.rotated(found)
        rows = [record for record in found if extension_of(record) in whole]
        if not rows:
            continue
        drawings = tuple(
            (f"rotation_x{factor:g}", partial(figures.rotation_figure, own))
            for factor, own in select.by_factor(rows).items()
        )
        title = f"What happens to each frequency: {model}"
        yield Section(title, rows, "rotation", tables.rotation_table(rows), drawings)
