"""Checks of section 3.3, Table 4: from how far a passkey is retrieved."""

from collections.abc import Callable, Iterator, Sequence

from position_interpolation.evidence.comparison import Effect, apart, independent, recorded
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Bar, Case, times
from position_interpolation.evidence.paper import at_steps
from position_interpolation.evidence.words import plural, rate_text
from position_interpolation.tasks.passkey import rules


def reading(
    evidence: Evidence, metric: str, model: str, method: str, factor: int, steps: int | None = None
) -> Effect | None:
    """The share of all keys that are found in prompts of L' (`success`), or `k_max` as a share of L'.

    Everything that is said about a model rests on one rule: `key`, unless no row was judged by it. None if it was not
    measured, or if the base finds nothing in its own window: such a model tells nothing about extensions.
    """
    asked = list(evidence.of("passkey", model))
    rule = rules.believed(row for rows in asked for row in rows)
    for judged in asked:
        rows = [row for row in judged if row.protocol == rule and row.at is None and row.eval_window == row.window]
        known = {row.steps: row for row in rows if (row.metric, row.method, row.factor) == (metric, method, factor)}
        blind = any((row.metric, row.factor, row.value) == ("success", 1, 0) for row in rows)
        if (found := at_steps(known, method, steps)) is not None and not blind:
            window = evidence.window(model, factor)
            value = f"{found.value:.0f} of {window}" if metric == "k_max" else rate_text(found.value)
            effect = recorded(found, f"{value}, {plural(found.steps or 0, 'step')}{rules.remark(rule)}")
            return effect.scaled(1 / window) if metric == "k_max" else effect
    return None


def whole_window(
    evidence: Evidence, factors: Sequence[int] = (), steps: Sequence[int | None] = (None,), once_reached: bool = False
) -> Iterator[Case]:
    """PI's k_max as a share of L' after each of the `steps`, ascending; None stands for the longest tuning.

    With `once_reached` the claim is about staying there. So what comes before k_max first reaches all of L' does not
    count, and a model that never reaches it says nothing.
    """
    for model in evidence.models:
        for factor in factors or evidence.factors(model):
            counts = not once_reached
            for number in steps:
                effect = reading(evidence, "k_max", model, "pi", factor, number)
                counts = counts or (effect is not None and effect.value >= 1.0)
                after = "its longest tuning" if number is None else f"{number} steps"
                name = f"{model}: k_max of PI x{factor} after {after}, of {evidence.window(model, factor)}"
                yield Case(name, effect if counts else None, Bar("at least", 1.0), rate_text)


def extrapolation_slow(evidence: Evidence, factor: int, most: float) -> Iterator[Case]:
    """FT's k_max after its longest tuning, as a multiple of L; and whether PI reaches farther."""
    for model in evidence.models:
        own = evidence.factor(model, factor)
        found = reading(evidence, "k_max", model, "extrapolation", own)
        name = f"{model}: k_max of FT x{own} after its longest tuning, against {evidence.window(model, 1)}"
        yield Case(name, None if found is None else found.scaled(own), Bar("at most", most), times)
    yield from farther(evidence, factor)


def farther(evidence: Evidence, factor: int) -> Iterator[Case]:
    """PI's k_max less FT's, as a share of L'."""
    yield from _ahead(evidence, factor, "k_max", apart, "k_max of PI x{own} less that of FT, as a share of {window}")


def more(evidence: Evidence, factor: int) -> Iterator[Case]:
    """The share of keys that PI finds in prompts of L' less FT's, over the trials at all distances."""
    name = "keys found in prompts of {window} by PI x{own} less those by FT"
    yield from _ahead(evidence, factor, "success", independent, name)


def _ahead(
    evidence: Evidence, factor: int, metric: str, difference: Callable[[Effect, Effect], Effect], name: str
) -> Iterator[Case]:
    """PI against FT, each after its longest tuning."""
    for model in evidence.models:
        own = evidence.factor(model, factor)
        ours, other = (reading(evidence, metric, model, method, own) for method in ("pi", "extrapolation"))
        found = None if ours is None or other is None else difference(ours, other)
        shown = name.format(own=own, window=evidence.window(model, own))
        yield Case(f"{model}: {shown}", found, Bar("above", 0.0), rate_text)
