"""What a page shows of harder retrieval."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from matplotlib.figure import Figure

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.retrieval import figures, tables

Drawing = tuple[str, Callable[[], Figure]]


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success, likelihood and wrong numbers by what is asked and length of the prompt; success by distance."""
    rows = [record for record in records if record.task == "retrieval" and select.plain(record)]
    known = {row.metric for row in rows}
    if "retrieved" not in known:
        return
    drawings: list[Drawing] = [("retrieval", partial(figures.success_figure, rows))]
    more = []
    if "answer_log_likelihood" in known:
        drawings.append(("retrieval_log_likelihood", partial(figures.likelihood_figure, rows)))
        more.append(("by the answers' log-likelihood", tables.likelihood_table(rows)))
    if "wrong_number" in known:
        more.append(("by what wrong answers are", tables.mistakes_table(rows)))
    if any(row.at is not None for row in rows):
        more.append(("by distance", tables.distance_table(rows)))
    yield Section("Harder retrieval", rows, "retrieval", tables.success_table(rows), tuple(drawings), tuple(more))
