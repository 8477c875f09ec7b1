"""Checks of section 3.5, Table 6: ROUGE of the summaries of long reports."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Effect, exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import POINT, Bar, Case, points
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.govreport.config import LEAD, TUNED, UNTUNED
from position_interpolation.tasks.govreport.page import LEADS, VARIANTS, by_report

PRINTED = "CoLT5 Base"


class Writer(NamedTuple):
    """Who wrote summaries: a method's extension, tuned on summaries or not, or nobody (`lead`)."""

    method: str | None
    protocol: str


OURS = Writer("pi", TUNED)
# What PI is held against: the writer that has the name, PI's own way to write then, and what the rival is called.
RIVALS = {
    "first_tokens": (Writer(None, LEAD), OURS, LEADS),
    "without_tuning": (Writer("pi", UNTUNED), OURS, "the same model without tuning on summaries"),
    "base": (Writer("none", UNTUNED), Writer("pi", UNTUNED), "the base, which reads the report cut to its window"),
}


def rouge(evidence: Evidence, metrics: Sequence[str], rival: str = "first_tokens") -> Iterator[Case]:
    """PI's lead over a rival, on the same reports; in print that is CoLT5 Base."""
    bar = Bar("above", 0.0, tight=POINT)
    if evidence.printed:
        for metric in metrics:
            yield Case(f"{VARIANTS[metric]} above the rival's", _printed(evidence, metric), bar, points)
        return
    for model, metric in product(evidence.models, metrics):
        yield Case(f"{model}, {VARIANTS[metric]} above the rival's", _lead(evidence, model, metric, rival), bar, points)


def _lead(evidence: Evidence, model: str, metric: str, rival: str) -> Effect | None:
    """The mean difference over the reports that both have, with a bootstrap over them."""
    theirs, ours, called = RIVALS[rival]
    for rows in evidence.of("govreport", model):
        sides = [by_report(_written(rows, writer), metric) for writer in (ours, theirs)]
        found = comparison.difference(*sides)
        if found is not None:
            means = " against ".join(f"{sum(side.values()) / len(side):.1f}" for side in sides)
            detail = f"{means} of {called}, {plural(found.documents, 'report')}"
            return replace(found, sources=(rows[0].experiment,), detail=detail)
    return None


def _written(rows: Sequence[Record], writer: Writer) -> list[Record]:
    """A writer's scores: where there are several, of the one that reads most and is tuned longest."""
    own = (row for row in rows if (row.method, row.protocol) == writer)
    found = select.gathered(own, lambda row: (row.eval_window or 0, row.steps or 0))
    return found[max(found)] if found else []


def _printed(evidence: Evidence, metric: str) -> Effect:
    """A difference of printed numbers, to their one decimal."""
    rows = [one for found in evidence.of("govreport") for one in found if one.metric == metric]
    ours = next(one.value for one in rows if one.protocol == TUNED)
    other = next(one.value for one in rows if one.model == PRINTED)
    return exact(round(ours - other, 1), rows[0].experiment, f"{ours:.1f} against {other:.1f} of {PRINTED}")
