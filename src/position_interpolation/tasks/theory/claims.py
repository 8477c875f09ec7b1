"""Checks of section 2 and appendix A: bounds on scores, and what Figures 2 and 5 show. No model is involved."""

from collections.abc import Iterator
from functools import cache

from position_interpolation.evidence import paper
from position_interpolation.evidence.comparison import Effect, exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Bar, Case, Kind, number, times
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.theory import bounds
from position_interpolation.tasks.theory.tables import audited

TASK = "theory"


@cache
def formulas() -> tuple[Record, ...]:
    """Section 2 with the paper's own d = 128 and c = 10000, on the spans of Figure 5, as records of the paper.

    Figure 2 states no number that could be read.
    """
    constants = paper.printed()["paper"]
    dimension, longest = constants["head_dim"], max(paper.printed()["eval_windows"])
    (found,) = bounds.audit([dimension], constants["rope_base"])
    (extended,) = bounds.audit([dimension], constants["rope_base"], spans=longest)
    least = 2 * dimension * found.smallest_ratio  # of eq. 8's bound
    numbers = {
        "smallest_ratio": found.smallest_ratio,
        "factor_printed": least / found.printed_bound,
        "factor_corrected": least / found.corrected_bound,
        f"audit_{dimension}_printed_bound": found.printed_bound,
        f"audit_{dimension}_corrected_bound": found.corrected_bound,
        f"audit_{dimension}_worst_midpoint_deviation": found.worst_midpoint_deviation,
        f"audit_{dimension}_smallest_ratio_to_{longest}": extended.smallest_ratio,
    }
    return tuple(paper.record("formulas of section 2", TASK, metric, value) for metric, value in numbers.items())


def ratio(
    evidence: Evidence, name: str, over: str, under: str | None = None, kind: Kind = "at most", limit: float = 1.0
) -> Iterator[Case]:
    """A number of section 2, by itself or over another."""
    effect = evidence.number(TASK, over) if under is None else _over(evidence, over, under)
    yield Case(name, effect, Bar(kind, limit), number if under is None else times)


def bound_ratio(evidence: Evidence, bound: str) -> Iterator[Case]:
    """Eq. 8's bound over eq. 7's, printed or corrected, where the two are closest."""
    claimed = 2 * paper.printed()["theory"]["interpolation_bound_printed"]  # what "about 600" rounds
    effect = evidence.number(TASK, f"factor_{bound}")
    yield Case(f"least ratio of the bounds, eq. 7 {bound}", effect, Bar("at least", claimed), times)


def eq_14(evidence: Evidence) -> Iterator[Case]:
    """Left side over right side, which is the corrected bound of eq. 7 over the printed one."""
    effect = _over(evidence, "audit_128_corrected_bound", "audit_128_printed_bound")
    effect = effect or _over(evidence, "factor_printed", "factor_corrected")  # of bounds that these divide
    yield Case("left side over right side", effect, Bar("at most", 1.0), times)


def every_dimension(
    evidence: Evidence, over: str, kind: Kind, limit: float, under: str | None = None
) -> Iterator[Case]:
    """A number of the audit, by itself or over another, one case a head dimension."""
    rows = [record for found in evidence.of(TASK) for record in found]
    for dimension, numbers in audited(rows).items():
        source = next(record.experiment for record in rows if record.metric == f"audit_{dimension}_{over}")
        value = numbers[over] / (1.0 if under is None else numbers[under])
        yield Case(f"head dimension {dimension}", exact(value, source), Bar(kind, limit), number)


def _over(evidence: Evidence, above: str, below: str) -> Effect | None:
    """A ratio of two numbers of section 2."""
    first, second = evidence.number(TASK, above), evidence.number(TASK, below)
    if first is None or second is None:
        return None
    return exact(first.value / second.value, first.sources[0], f"{first.value:.5g} over {second.value:.5g}")
