"""Checks of section 3.5, Table 6: ROUGE of the summaries of long reports."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from position_interpolation.evidence import comparison
from position_interpolation.evidence.comparison import Effect, exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import POINT, Bar, Case, points
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.govreport.config import LEAD, TUNED, UNTUNED
from position_interpolation.tasks.govreport.page import LEADS, VARIANTS, by_report

RIVALS = {LEAD: LEADS, UNTUNED: "the same model without tuning on summaries"}
PRINTED = "CoLT5 Base"


def rouge(evidence: Evidence, metrics: Sequence[str], rival: str = LEAD) -> Iterator[Case]:
    """The tuned PI model's lead over a rival; in print that is CoLT5 Base."""
    for metric in metrics:
        effect = _printed(evidence, metric) if evidence.printed else _lead(evidence, metric, rival)
        yield Case(f"{VARIANTS[metric]} above the rival's", effect, Bar("above", 0.0, tight=POINT), points)


def _lead(evidence: Evidence, metric: str, rival: str) -> Effect | None:
    """The mean difference over the reports that both have, with a bootstrap over them."""
    for rows in evidence.of("govreport"):
        # Of several extensions the last one counts, which is the longest tuned.
        ours, other = (
            by_report((row for row in rows if row.protocol == protocol), metric) for protocol in (TUNED, rival)
        )
        found = comparison.difference(ours, other)
        if found is not None:
            means = " against ".join(f"{sum(side.values()) / len(side):.1f}" for side in (ours, other))
            detail = f"{means} of {RIVALS[rival]}, {plural(found.documents, 'report')}"
            return replace(found, sources=(rows[0].experiment,), detail=detail)
    return None


def _printed(evidence: Evidence, metric: str) -> Effect:
    """A difference of printed numbers, to their one decimal."""
    rows = [one for found in evidence.of("govreport") for one in found if one.metric == metric]
    ours = next(one.value for one in rows if one.protocol == TUNED)
    other = next(one.value for one in rows if one.model == PRINTED)
    return exact(round(ours - other, 1), rows[0].experiment, f"{ours:.1f} against {other:.1f} of {PRINTED}")
