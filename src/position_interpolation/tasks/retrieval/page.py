"""What a page shows of harder retrieval."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.retrieval import figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success, likelihood and wrong numbers by what is asked and length of the prompt; success by distance."""
    rows = [record for record in records if record.task == "retrieval" and select.plain(record)]
    if rows:
        yield Section(
            "Harder retrieval",
            "retrieval",
            tables.success_table(rows),
            (
                ("retrieval", partial(figures.success_figure, rows)),
                ("retrieval_log_likelihood", partial(figures.likelihood_figure, rows)),
            ),
            (
                ("by the answers' log-likelihood", tables.likelihood_table(rows)),
                ("by what wrong answers are", tables.mistakes_table(rows)),
                ("by distance", tables.distance_table(rows)),
            ),
        )
