"""Checks of section 3.2, Table 3: perplexity by steps of tuning, on PG-19 at the extended window itself."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from position_interpolation.evidence import paper
from position_interpolation.evidence.effects import Cell, Evidence
from position_interpolation.evidence.judging import Bar, Case, percent, times
from position_interpolation.report.printed import Printed
from position_interpolation.tasks.perplexity.claims import LOWER, base

TASK = "pg19"


def untuned_beats_base(evidence: Evidence, sizes: Sequence[str], factor: int) -> Iterator[Case]:
    """Untuned PI against the untuned base, both at L'."""
    for model in evidence.models(sizes):
        own = evidence.factor(model, factor, tuned=False)
        name = f"{model}: untuned PI x{own} against the base, both at {evidence.window(model, own)}"
        effect = evidence.ratio([_pi(model, own, 0)], [Cell(model, TASK, "none", 1, own)])
        yield Case(name, effect, LOWER, percent)


def untuned_is_low(evidence: Evidence, sizes: Sequence[str], factor: int, most: float) -> Iterator[Case]:
    """Untuned PI at L' against the base at L: below the multiple that the stated perplexity is of 7B's."""
    printed = Printed().perplexity(base("7B", TASK))
    if printed is None:
        raise ValueError("the paper prints the perplexity of the 7B base")
    for model in evidence.models(sizes):
        name = f"{model}: untuned PI x{factor} at {evidence.window(model, factor)} against the base at its window"
        effect = evidence.ratio([_pi(model, factor, 0)], [base(model, TASK)])
        yield Case(name, effect, Bar("below", most / printed.value), times)


def passes_base(evidence: Evidence, sizes: Sequence[str], factors: Sequence[int], steps: int) -> Iterator[Case]:
    """PI at L' after a few steps against the base at L."""
    for model in evidence.models(sizes):
        for factor in factors:
            name = f"{model}: PI x{factor} after {steps} steps against the base, each at its own window"
            effect = evidence.ratio([_pi(model, factor, steps)], [base(model, TASK)])
            yield Case(name, effect, LOWER, percent)


def improves_steadily(evidence: Evidence, sizes: Sequence[str], factors: Sequence[int]) -> Iterator[Case]:
    """PI at L' after each number of steps of Table 3 against the number before."""
    for model in evidence.models(sizes):
        for factor in factors:
            for before, after in pairwise(paper.printed()["table3_steps"]["steps"]):
                name = f"{model}: PI x{factor} after {after} steps against {before}"
                effect = evidence.ratio([_pi(model, factor, after)], [_pi(model, factor, before)])
                yield Case(name, effect, LOWER, percent)


def _pi(model: str, factor: int, steps: int) -> Cell:
    return Cell(model, TASK, "pi", factor, factor, steps)
