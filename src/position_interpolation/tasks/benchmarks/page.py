"""What a page shows of zero-shot benchmarks."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.benchmarks import figures, tables
from position_interpolation.tasks.benchmarks.tables import by_sample


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Accuracy by set, and the paired changes against the base."""
    for rows in by_sample(records):
        compared = any(record.metric == "accuracy_change" for record in rows)
        draw = partial(figures.changes_figure, rows)
        yield Section(
            "Zero-shot benchmarks at the base's window",
            rows,
            "benchmarks",
            tables.accuracy_table(rows),
            (("benchmark_changes", draw),) if compared else (),
            (("answers chosen by log-likelihood a byte", tables.accuracy_table(rows, "accuracy_normalised")),),
        )
        if compared:
            title = "Zero-shot benchmarks: each extension against its base"
            yield Section(title, rows, "changes", tables.changes_table(rows), ())
