"""What a page shows of section 2."""

from collections.abc import Iterator, Sequence

from position_interpolation.display.section import Section
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.theory import figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """The paper's figures without a model, and the bounds by head dimension."""
    rows = [record for record in records if record.task == "theory"]
    if stated := tables.stated(rows):
        drawn = (
            ("figure_1", figures.figure_1),
            ("figure_2", figures.figure_2),
            ("figure_5", figures.figure_5),
        )
        yield Section("Figures 1, 2 and 5", stated, "theory", tables.theory_table(stated), drawn)
    if tables.audited(rows):
        yield Section("The bounds by head dimension", rows, "audit", tables.audit_table(rows), ())
