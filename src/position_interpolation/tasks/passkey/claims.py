"""Checks of section 3.3, Table 4: from how far a passkey is retrieved."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from position_interpolation.evidence.comparison import Effect, apart, independent, recorded
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Bar, Case, times
from position_interpolation.evidence.paper import at_steps
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, rate_text
from position_interpolation.tasks.passkey import rules


def k_max(evidence: Evidence, model: str, method: str, factor: int, steps: int | None = None) -> Effect | None:
    """The longest distance from which the key is retrieved, as a share of L'."""
    effect = _read(evidence, model, ("k_max", method, factor), steps)
    return None if effect is None else effect.scaled(1 / evidence.window(model, factor))


def keys_found(evidence: Evidence, model: str, method: str, factor: int, steps: int | None = None) -> Effect | None:
    """The share of all keys that are found in prompts of L'."""
    return _read(evidence, model, ("success", method, factor), steps)


def _read(evidence: Evidence, model: str, wanted: tuple[str, str, int], steps: int | None) -> Effect | None:
    """One metric of an extension, `wanted` being (metric, method, factor), over all distances in prompts of L'.

    Everything that is said about a model rests on one rule: `key`, unless no row was judged by it. None as well if the
    base retrieves nothing in its own window, which tells nothing about extensions.
    """
    metric, method, factor = wanted
    asked = list(evidence.of("passkey", model))
    rule = rules.believed(row for rows in asked for row in rows)
    for judged in asked:
        rows = [row for row in judged if row.protocol == rule]
        known = {
            record.steps: record
            for record in rows
            if (record.metric, record.method, record.factor) == wanted
            and record.at is None
            and record.eval_window == record.window
        }
        found = at_steps(known, method, steps)
        if found is not None and not any(map(_blind, rows)):
            of = f" of {evidence.window(model, factor)}" if metric == "k_max" else ""
            value = f"{found.value:.0f}{of}" if metric == "k_max" else rate_text(found.value)
            return recorded(found, f"{value}, {plural(found.steps or 0, 'step')}{rules.remark(rule)}")
    return None


def whole_window(
    evidence: Evidence, factors: Sequence[int] = (), steps: Sequence[int | None] = (None,)
) -> Iterator[Case]:
    """PI's k_max as a share of L' after each number of steps, or after the longest tuning."""
    for model in evidence.models:
        for factor, number in product(factors or evidence.factors(model), steps):
            effect = k_max(evidence, model, "pi", factor, number)
            yield Case(_name(evidence, model, factor, number), effect, Bar("at least", 1.0), rate_text)


def stays(evidence: Evidence, factors: Sequence[int], steps: Sequence[int]) -> Iterator[Case]:
    """PI's k_max as a share of L', from the first number of steps on after which it is all of L'.

    A model that never reaches its whole window says nothing about staying there.
    """
    for model, factor in product(evidence.models, factors):
        reached = False
        for number in sorted(steps):
            effect = k_max(evidence, model, "pi", factor, number)
            reached = reached or (effect is not None and effect.value >= 1.0)
            found = effect if reached else None
            yield Case(_name(evidence, model, factor, number), found, Bar("at least", 1.0), rate_text)


def extrapolation_slow(evidence: Evidence, factor: int, most: float) -> Iterator[Case]:
    """FT's k_max after its longest tuning, as a multiple of L; and whether PI reaches farther."""
    for model in evidence.models:
        own = evidence.factor(model, factor)
        found = k_max(evidence, model, "extrapolation", own)
        name = f"{model}: k_max of FT x{own} after its longest tuning, against {evidence.window(model, 1)}"
        yield Case(name, None if found is None else found.scaled(own), Bar("at most", most), times)
    yield from farther(evidence, factor)


def farther(evidence: Evidence, factor: int) -> Iterator[Case]:
    """PI's k_max less FT's, as a share of L'."""
    yield from _ahead(evidence, factor, k_max, apart, "k_max of PI x{own} less that of FT, as a share of {window}")


def more(evidence: Evidence, factor: int) -> Iterator[Case]:
    """The share of keys that PI finds in prompts of L' less FT's, over the trials at all distances."""
    name = "keys found in prompts of {window} by PI x{own} less those by FT"
    yield from _ahead(evidence, factor, keys_found, independent, name)


def _ahead(
    evidence: Evidence,
    factor: int,
    reading: Callable[[Evidence, str, str, int], Effect | None],
    difference: Callable[[Effect, Effect], Effect],
    name: str,
) -> Iterator[Case]:
    """PI against FT by one reading, each after its longest tuning."""
    for model in evidence.models:
        own = evidence.factor(model, factor)
        ours, other = (reading(evidence, model, method, own) for method in ("pi", "extrapolation"))
        found = None if ours is None or other is None else difference(ours, other)
        shown = name.format(own=own, window=evidence.window(model, own))
        yield Case(f"{model}: {shown}", found, Bar("above", 0.0), rate_text)


def _blind(record: Record) -> bool:
    """Whether this record says that a base retrieves nothing in its own window, at any distance."""
    inside = record.factor == 1 and record.eval_window == record.window
    return inside and (record.metric, record.at, record.value) == ("success", None, 0)


def _name(evidence: Evidence, model: str, factor: int, steps: int | None) -> str:
    after = "its longest tuning" if steps is None else f"{steps} steps"
    return f"{model}: k_max of PI x{factor} after {after}, of {evidence.window(model, factor)}"
