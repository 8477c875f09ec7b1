"""Checks of section 2 and appendix A: bounds on scores, and what Figures 2 and 5 show. No model is involved."""

from collections.abc import Iterator, Sequence

from position_interpolation.evidence import paper
from position_interpolation.evidence.effects import Effect, Evidence, exact
from position_interpolation.evidence.judging import Bar, Case, Kind, number, times
from position_interpolation.tasks.theory.bounds import PLOTTED


def bound_ratio(evidence: Evidence, sizes: Sequence[str], bound: str) -> Iterator[Case]:
    """Eq. 8's bound over eq. 7's, printed or corrected, where the two are closest."""
    claimed = 2 * paper.printed()["theory"]["interpolation_bound_printed"]  # what "about 600" rounds
    name = f"least ratio of the bounds, eq. 7 {bound}"
    yield Case(name, evidence.theory(f"factor_{bound}"), Bar("at least", claimed), times)


def eq_7(evidence: Evidence, sizes: Sequence[str]) -> Iterator[Case]:
    """The worst deviation at the midpoint of two integers over the printed bound on it."""
    effect = _over(evidence, "worst_midpoint_deviation", "printed_bound", 128, PLOTTED)
    yield Case("worst deviation over the printed bound", effect, Bar("at most", 1.0), times)


def eq_14(evidence: Evidence, sizes: Sequence[str]) -> Iterator[Case]:
    """Left side over right side, which is the corrected bound of eq. 7 over the printed one."""
    effect = _over(evidence, "corrected_bound", "printed_bound", 128, PLOTTED)
    effect = effect or _over(evidence, "factor_printed", "factor_corrected")  # of bounds that these divide
    yield Case("left side over right side", effect, Bar("at most", 1.0), times)


def figure_2(
    evidence: Evidence, sizes: Sequence[str], region: str, kind: Kind, limit: float, over: str | None = None
) -> Iterator[Case]:
    """The largest score in one region of the draw that is shown, by itself or over that of another region."""
    name = f"largest score {region}" + (f" over that {over}" if over else "")
    largest = f"plotted_{region}"
    effect = evidence.theory(largest) if over is None else _over(evidence, largest, f"plotted_{over}")
    yield Case(name, effect, Bar(kind, limit), times if over else number)


def figure_5(
    evidence: Evidence, sizes: Sequence[str], head_dim: int | None = None, window: int | None = None
) -> Iterator[Case]:
    """The smallest B(s) / d of a range of spans: those of the figure, or of a window at a head dimension."""
    effect = evidence.theory("smallest_ratio", head_dim, window)
    yield Case("smallest B(s) / d", effect, Bar("at least", 1.0), number)


def _over(
    evidence: Evidence, above: str, below: str, head_dim: int | None = None, window: int | None = None
) -> Effect | None:
    """A ratio of two numbers of section 2."""
    first, second = (evidence.theory(metric, head_dim, window) for metric in (above, below))
    if first is None or second is None:
        return None
    return exact(first.value / second.value, first.source, f"{first.value:.5g} over {second.value:.5g}")
