"""Checks of bases stopped early: whether PI is ahead at L' however many tokens the base was trained on."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from position_interpolation.comparisons.base_tokens import tables
from position_interpolation.evidence import select
from position_interpolation.evidence.comparison import exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.judging import ALIKE, Bar, Case, number, percent
from position_interpolation.evidence.words import plural, thousands

AHEAD = Bar("below", 1.0, ALIKE)
TOLD = ("holds", "does not hold")


def pi_ahead(evidence: Evidence, tuned: bool) -> Iterator[Case]:
    """Untuned PI against the base, or tuned PI against extrapolation tuned as long; a case per base and step count."""
    for _, cases in _by_steps(evidence, tuned):
        yield from cases.values()


def order_turns(evidence: Evidence, tuned: bool) -> Iterator[Case]:
    """How often PI takes or loses the lead from one base to the next; a case per step count.

    Bases that do not tell the two apart are passed over.
    """
    for after, cases in _by_steps(evidence, tuned):
        ahead = {base: case.verdict == "holds" for base, case in cases.items() if case.verdict in TOLD}
        turns = [f"between {one.base} and {other.base}" for one, other in pairwise(ahead) if ahead[one] != ahead[other]]
        effect = next((case.effect for case in cases.values() if case.effect is not None), None)
        if effect is not None:
            detail = ", ".join(f"{'ahead' if first else 'behind'} on {base.base}" for base, first in ahead.items())
            effect = exact(len(turns), effect.sources[0], "; ".join([*turns, f"PI is {detail}"]))
            if len(ahead) < 2:
                effect = replace(effect, low=None, high=None, detail="fewer than two bases tell the two apart")
        yield Case(f"{after}: turns of the order", effect, Bar("at least", 1), number)


def _by_steps(evidence: Evidence, tuned: bool) -> Iterator[tuple[str, dict[Extension, Case]]]:
    """For each length of tuning, in words, whether PI is ahead on each base."""
    for rows in select.stopped(evidence.records).values():
        for ours, other in tables.pairs(rows):
            if bool(ours.steps) == tuned:
                after = plural(ours.steps, "step") if ours.steps else "no tuning"
                cases = {}
                for base in tables.bases(rows):
                    name = f"base after {thousands(base.base_tokens or 0)} tokens, {after}: PI at {ours.window}"
                    cases[base] = Case(name, tables.ratio(rows, base, ours, other), AHEAD, percent)
                yield after, cases
