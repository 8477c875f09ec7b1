"""Checks of section 3.3, Table 4: from how far a passkey is retrieved."""

from collections.abc import Iterator, Sequence

from position_interpolation.evidence.effects import Evidence, apart
from position_interpolation.evidence.judging import Bar, Case, share, times


def passkey_whole_window(
    evidence: Evidence, sizes: Sequence[str], factors: Sequence[int], steps: Sequence[int]
) -> Iterator[Case]:
    """PI's k_max as a share of L' after each number of steps."""
    for model in evidence.models(sizes):
        for factor in factors:
            for number in steps:
                name = f"{model}: k_max of PI x{factor} after {number} steps, of {evidence.window(model, factor)}"
                effect = evidence.k_max(model, "pi", factor, number)
                yield Case(name, effect, Bar("at least", 1.0), share)


def passkey_stays(
    evidence: Evidence, sizes: Sequence[str], factors: Sequence[int], steps: Sequence[int]
) -> Iterator[Case]:
    """PI's k_max as a share of L' from the first number of steps on after which it is the whole of it.

    A model that never reaches its whole window says nothing about staying there.
    """
    for model in evidence.models(sizes):
        for factor in factors:
            reached = False
            for number in sorted(steps):
                effect = evidence.k_max(model, "pi", factor, number)
                reached = reached or (effect is not None and effect.value >= 1.0)
                name = f"{model}: k_max of PI x{factor} after {number} steps, of {evidence.window(model, factor)}"
                yield Case(name, effect if reached else None, Bar("at least", 1.0), share)


def passkey_extrapolation_slow(evidence: Evidence, sizes: Sequence[str], factor: int, most: float) -> Iterator[Case]:
    """FT's k_max after its longest tuning, as a multiple of L; and whether PI reaches farther at all."""
    for model in evidence.models(sizes):
        own = evidence.factor(model, factor)
        found, ours = (evidence.k_max(model, method, own) for method in ("extrapolation", "pi"))
        name = f"{model}: k_max of FT x{own} after its longest tuning, against {evidence.window(model, 1)}"
        yield Case(name, None if found is None else found.scaled(own), Bar("at most", most), times)
        name = f"{model}: k_max of PI x{own} less that of FT, as a share of {evidence.window(model, own)}"
        yield Case(name, None if found is None or ours is None else apart(ours, found), Bar("above", 0.0), share)
