"""Checks of perplexity by steps of tuning, on PG-19 at the extended window itself (section 3.2, Table 3)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from position_interpolation.evidence.evidence import Evidence, Wanted
from position_interpolation.evidence.judging import ALIKE, Bar, Case, percent
from position_interpolation.tasks.perplexity.claims import Asked, printed_perplexity, ratio

TASK = "pg19"


def untuned_is_low(evidence: Evidence, factor: int, most: float) -> Iterator[Case]:
    """Untuned PI at L' against the base at L: below `most` over the perplexity that the paper prints for 7B at L."""
    over: Asked = {"method": "pi", "at": "L'", "steps": 0}
    under: Asked = {"method": "none", "at": "L"}
    limit = most / printed_perplexity(Wanted("7B", TASK, "none", 1, 1))
    return ratio(evidence, over, under, "below", limit, [TASK], [factor])


def improves_steadily(evidence: Evidence, factors: Sequence[int], steps: Sequence[int]) -> Iterator[Case]:
    """PI at L' after each number of steps against the number before."""
    for model, factor in product(evidence.models, factors):
        for before, after in pairwise(steps):
            above, below = (Wanted(model, TASK, "pi", factor, factor, number) for number in (after, before))
            name = f"{model}: PI x{factor} after {after} steps against {before}"
            yield Case(name, evidence.ratio([above], [below]), Bar("below", 1.0, ALIKE), percent)
