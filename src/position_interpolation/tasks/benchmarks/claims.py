"""Checks of section 3.4, Table 5: accuracy at the original window before and after extension, in per cent."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product

from position_interpolation.evidence import paper
from position_interpolation.evidence.comparison import Effect, apart, exact, recorded
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import POINT, Bar, Case, points
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.benchmarks.page import YES
from position_interpolation.tasks.benchmarks.questions import SETS


def lose_at_most(evidence: Evidence, factor: int, most: float) -> Iterator[Case]:
    """The extended model against its base, on every benchmark."""
    for model, test in product(evidence.models, SETS):
        effect = change(evidence, model, test, factor)
        yield Case(f"{model}, {test}: PI x{factor} against the base", effect, Bar("at least", -most), points)


def loss_grows(evidence: Evidence, factors: Sequence[int]) -> Iterator[Case]:
    """Each factor against the one before, on every benchmark."""
    for model, test in product(evidence.models, SETS):
        for smaller, larger in pairwise(factors):
            changes = [change(evidence, model, test, factor) for factor in (larger, smaller)]
            name = f"{model}, {test}: change against the base of PI x{larger} less that of PI x{smaller}"
            yield Case(name, _apart(*changes), Bar("below", 0.0, POINT), points)


def tuning_text(evidence: Evidence, factor: int, other: str, most: float) -> Iterator[Case]:
    """How far models tuned on the Pile and on another text are apart, on every benchmark, whichever is ahead."""
    for model, test in product(evidence.models, SETS):
        found = [accuracy(evidence, model, test, factor, text) for text in (other, None)]
        distance = _apart(*found)
        if distance is not None and distance.value < 0:
            distance = _apart(*reversed(found))
        yield Case(f"{model}, {test}: {other} and Pile apart", distance, Bar("at most", most), points)


def base_knows(evidence: Evidence) -> Iterator[Case]:
    """The base's accuracy less what needs no model. A base that only guesses has nothing to lose."""
    for model, test in product(evidence.models, SETS):
        found = accuracy(evidence, model, test, 1)
        if found is not None:
            guessed, rival = 100 * chance(test), "always answering yes" if test == "boolq" else "guessing"
            ours = replace(found, detail=f"{found.detail}; {found.value:.1f}")
            found = apart(ours, exact(guessed, found.sources[0], f"{guessed:.1f} of {rival}"))
        name = f"{model}, {test}: the base against an answer without a model"
        yield Case(name, found, Bar("above", 0.0, POINT), points)


def accuracy(evidence: Evidence, model: str, test: str, factor: int, text: str | None = None) -> Effect | None:
    """Accuracy of the base (factor 1), or of PI tuned on a text; None is the Pile, or what our models are tuned on."""
    return next(_recorded(evidence, "accuracy", model, test, factor, text), None)


def change(evidence: Evidence, model: str, test: str, factor: int) -> Effect | None:
    """Change of accuracy against the base: paired by question, or the difference of two printed numbers.

    None as well if the base only guesses, which tells nothing about extensions. Where no answer changed, there is no
    interval, because no spread is known.
    """
    if evidence.printed:
        return _apart(*(accuracy(evidence, model, test, at) for at in (factor, 1)))
    bases = _recorded(evidence, "accuracy", model, test, 1)
    guessing = [base.sources for base in bases if (base.value if base.low is None else base.low) <= 100 * chance(test)]
    found = _recorded(evidence, "accuracy_change", model, test, factor)
    effect = next((effect for effect in found if effect.sources not in guessing), None)
    return replace(effect, low=None, high=None) if effect is not None and effect.low == effect.high else effect


def chance(test: str) -> float:
    """The share of a set that is answered right without a model: by guessing, or by always answering yes."""
    return YES if test == "boolq" else 1 / SETS[test]


def _recorded(
    evidence: Evidence, metric: str, model: str, test: str, factor: int, text: str | None = None
) -> Iterator[Effect]:
    method = "pi" if factor > 1 else "none"
    settings = None if text is None else {paper.TUNING_TEXT: text}
    for rows in evidence.of(test, model, settings):
        known = {one.steps: one for one in rows if (one.metric, one.method, one.factor) == (metric, method, factor)}
        found = paper.at_steps(known, method, None)
        if found is not None:
            questions = plural(found.n_documents or 0, "question")
            tuned = f", {plural(found.steps, 'step')}" if found.steps else ""
            yield recorded(found, "" if evidence.printed else f"{questions}{tuned}").scaled(100)


def _apart(left: Effect | None, right: Effect | None) -> Effect | None:
    """Left minus right in points, rounded to hide the inexactness of binary fractions."""
    if left is None or right is None:
        return None
    rounded = apart(left, right).mapped(lambda value: round(value, 6))
    return replace(rounded, detail=f"{left.value:.1f} against {right.value:.1f}")
