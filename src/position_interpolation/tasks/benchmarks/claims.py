"""Checks of section 3.4, Table 5: accuracy at the original window before and after extension."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from position_interpolation.evidence import paper
from position_interpolation.evidence.effects import Effect, Evidence, apart
from position_interpolation.evidence.judging import Bar, Case, points


def benchmarks_lose_at_most(evidence: Evidence, sizes: Sequence[str], factor: int, most: float) -> Iterator[Case]:
    """The extended model against its base on every benchmark."""
    for model, test in _models_and_tests(evidence, sizes):
        effect = evidence.accuracy_change(model, test, factor)
        yield Case(f"{model}, {test}: PI x{factor} against the base", effect, Bar("at least", -most), points)


def benchmarks_loss_grows(evidence: Evidence, sizes: Sequence[str], factors: Sequence[int]) -> Iterator[Case]:
    """Each factor against the one before on every benchmark."""
    for model, test in _models_and_tests(evidence, sizes):
        for smaller, larger in pairwise(factors):
            changes = [evidence.accuracy_change(model, test, factor) for factor in (larger, smaller)]
            name = f"{model}, {test}: change against the base of PI x{larger} less that of PI x{smaller}"
            yield Case(name, _apart(*changes), Bar("below", 0.0), points)


def benchmarks_tuning_text(evidence: Evidence, sizes: Sequence[str], factor: int, most: float) -> Iterator[Case]:
    """The distance between two models tuned on different texts on every benchmark, whichever is ahead."""
    for model, test in _models_and_tests(evidence, sizes):
        ours, other = (evidence.accuracy(model, test, factor, text) for text in ("redpajama", "pile"))
        apart = _apart(ours, other)
        if apart is not None and apart.value < 0:
            apart = _apart(other, ours)
        yield Case(f"{model}, {test}: RedPajama and Pile apart", apart, Bar("at most", most), points)


def _models_and_tests(evidence: Evidence, sizes: Sequence[str]) -> Iterator[tuple[str, str]]:
    tests = paper.printed()["table5_benchmarks"]["tasks"]
    return ((model, test) for model in evidence.models(sizes) for test in tests)


def _apart(left: Effect | None, right: Effect | None) -> Effect | None:
    """Left minus right in points, without the dust of binary arithmetic."""
    if left is None or right is None:
        return None
    shown = apart(left, right)
    low, high = (None if end is None else round(end, 6) for end in (shown.low, shown.high))
    detail = f"{left.value:.1f} against {right.value:.1f}"
    return Effect(round(shown.value, 6), low, high, shown.source, detail)
