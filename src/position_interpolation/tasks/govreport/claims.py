"""Checks of section 3.5, Table 6: ROUGE of the summaries of long reports."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Effect, exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import extension_of
from position_interpolation.evidence.judging import POINT, Bar, Case, points
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.govreport.config import LEAD, TUNED, UNTUNED
from position_interpolation.tasks.govreport.page import LEADS, VARIANTS, by_report

PRINTED = "CoLT5 Base"


@dataclass(frozen=True)
class Rival:
    """What PI is held against."""

    called: str
    ours: str  # protocol of PI's own summaries
    wrote: Callable[[Record, Record], bool]  # whether a record is the rival's, given one of PI's


RIVALS = {
    "first_tokens": Rival(LEADS, TUNED, lambda row, ours: (row.protocol, row.eval_window) == (LEAD, ours.eval_window)),
    "without_tuning": Rival(
        "the same model without tuning on summaries",
        TUNED,
        lambda row, ours: row.protocol == UNTUNED and extension_of(row) == extension_of(ours),
    ),
    "base": Rival(
        "the base, which reads the report cut to its window",
        UNTUNED,
        lambda row, ours: (row.protocol, row.method, row.eval_window) == (UNTUNED, "none", row.window),
    ),
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
    for rows in evidence.of("govreport", model):
        sides = [by_report(own, metric) for own in _sides(rows, RIVALS[rival])]
        found = comparison.difference(*sides) if sides else None
        if found is not None:
            means = " against ".join(f"{sum(side.values()) / len(side):.1f}" for side in sides)
            detail = f"{means} of {RIVALS[rival].called}, {plural(found.documents, 'report')}"
            return replace(found, sources=(rows[0].experiment,), detail=detail)
    return None


def _sides(rows: Sequence[Record], rival: Rival) -> list[list[Record]]:
    """PI's scores, of the extension that reads most and is tuned longest, and the rival's; none if lengths differ.

    The first tokens of a report are as many as a summary may have, so where they differ by window, so do summaries.
    """
    own = [row for row in rows if (row.method, row.protocol) == ("pi", rival.ours)]
    if not own:
        return []
    ours = max(own, key=lambda row: (row.eval_window or 0, row.steps or 0))
    theirs = [row for row in rows if rival.wrote(row, ours)]
    windows = {ours.eval_window, *(row.eval_window for row in theirs)}
    leads = (row for row in rows if row.protocol == LEAD and row.eval_window in windows)
    by_text = select.gathered(leads, lambda row: (row.metric, str(row.data.get("ids"))))
    if any(len({row.n_tokens for row in same}) > 1 for same in by_text.values()):
        return []
    return [[row for row in own if extension_of(row) == extension_of(ours)], theirs]


def _printed(evidence: Evidence, metric: str) -> Effect:
    """A difference of printed numbers, to their one decimal."""
    rows = [one for found in evidence.of("govreport") for one in found if one.metric == metric]
    ours = next(one.value for one in rows if one.protocol == TUNED)
    other = next(one.value for one in rows if one.model == PRINTED)
    return exact(round(ours - other, 1), rows[0].experiment, f"{ours:.1f} against {other:.1f} of {PRINTED}")
