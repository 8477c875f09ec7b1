"""Checks of section 2 and appendix A: bounds on scores, and what Figures 2 and 5 show. No model is involved."""

from collections.abc import Iterator
from functools import cache

from position_interpolation.evidence import paper
from position_interpolation.evidence.comparison import Effect, exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Bar, Case, Kind, number, times
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.theory import bounds
from position_interpolation.tasks.theory.bounds import HEAD_DIM, PLOTTED
from position_interpolation.tasks.theory.page import audited

TASK = "theory"


@cache
def formulas() -> tuple[Record, ...]:
    """Section 2 with the paper's own d = 128 and c = 10000, on the spans of Figure 5, as records of the paper.

    Figure 2 has no number that could be read off it.
    """
    constants = paper.printed()["paper"]
    dimension, longest = constants["head_dim"], max(paper.printed()["eval_windows"])
    (found,) = bounds.audit([dimension], constants["rope_base"])
    (extended,) = bounds.audit([dimension], constants["rope_base"], spans=longest)
    least = 2 * dimension * found.smallest_ratio  # of eq. 8's bound
    numbers = {
        ("smallest_ratio", None, None): found.smallest_ratio,
        ("factor_printed", None, None): least / found.printed_bound,
        ("factor_corrected", None, None): least / found.corrected_bound,
        ("printed_bound", dimension, PLOTTED): found.printed_bound,
        ("corrected_bound", dimension, PLOTTED): found.corrected_bound,
        ("worst_midpoint_deviation", dimension, PLOTTED): found.worst_midpoint_deviation,
        ("smallest_ratio", dimension, longest): extended.smallest_ratio,
    }
    return tuple(
        paper.record("formulas of section 2", TASK, metric, value, at=head_dim, eval_window=window)
        for (metric, head_dim, window), value in numbers.items()
    )


def ratio(
    evidence: Evidence, name: str, over: str, under: str | None = None, kind: Kind = "at most", limit: float = 1.0,
    head_dim: int | None = None, window: int | None = None,
) -> Iterator[Case]:  # fmt: skip
    """A number of section 2, the metric `over`, by itself or divided by the metric `under`.

    It is one that Figures 2 and 5 state or, given a head dimension, one of the audit over the spans of `window` tokens.
    """
    if under is None:
        effect = evidence.number(TASK, over, at=head_dim, window=window)
    else:
        effect = _over(evidence, over, under, head_dim, window)
    yield Case(name, effect, Bar(kind, limit), number if under is None else times)


def bound_ratio(evidence: Evidence, bound: str) -> Iterator[Case]:
    """Eq. 8's bound over eq. 7's, printed or corrected, where the two are closest."""
    claimed = 2 * paper.printed()["theory"]["interpolation_bound_printed"]  # what "about 600" rounds
    effect = evidence.number(TASK, f"factor_{bound}")
    yield Case(f"least ratio of the bounds, eq. 7 {bound}", effect, Bar("at least", claimed), times)


def eq_14(evidence: Evidence) -> Iterator[Case]:
    """Left side over right side, which is the corrected bound of eq. 7 over the printed one."""
    effect = _over(evidence, "corrected_bound", "printed_bound", HEAD_DIM, PLOTTED)
    effect = effect or _over(evidence, "factor_printed", "factor_corrected")  # both are divided by the bounds
    yield Case("left side over right side", effect, Bar("at most", 1.0), times)


def every_dimension(
    evidence: Evidence, over: str, kind: Kind, limit: float, under: str | None = None
) -> Iterator[Case]:
    """A number of the audit, by itself or over another, one case per head dimension."""
    rows = [record for found in evidence.of(TASK) for record in found]
    for dimension, numbers in audited(rows).items():
        if not numbers.keys() >= {over, under or over}:
            continue
        source = next(record.experiment for record in rows if (record.metric, record.at) == (over, dimension))
        value = numbers[over] / (1.0 if under is None else numbers[under])
        yield Case(f"head dimension {dimension}", exact(value, source), Bar(kind, limit), number)


def _over(
    evidence: Evidence, above: str, below: str, head_dim: int | None = None, window: int | None = None
) -> Effect | None:
    """A ratio of two numbers of section 2."""
    first, second = (evidence.number(TASK, metric, at=head_dim, window=window) for metric in (above, below))
    if first is None or second is None:
        return None
    return exact(first.value / second.value, first.sources[0], f"{first.value:.5g} over {second.value:.5g}")
