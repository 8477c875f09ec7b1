"""PI beside what it is compared with on one stopped base, paired by document."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from position_interpolation.comparisons.base_tokens import tables
from position_interpolation.comparisons.base_tokens.tables import Base
from position_interpolation.evidence import comparison, seeds
from position_interpolation.evidence.comparison import Effect, Losses
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural


def pairs(rows: Sequence[Record]) -> Iterator[tuple[Extension, Extension]]:
    """Each treatment by PI with the extrapolation of the same window and steps; untuned PI with the base itself."""
    known = tables.treatments(rows)
    bases = [item for item in known if item.method == "none"]
    for ours in (item for item in known if item.method == "pi"):
        others = [replace(ours, method="extrapolation")] if ours.steps else bases
        yield from ((ours, other) for other in others if other in known)


def ratio(rows: Sequence[Record], base: Base, ours: Extension, other: Extension) -> Effect | None:
    """Ratio of the perplexities of two treatments at the window of the first; None if no seed has both.

    Documents are paired, their losses averaged over the seeds. The interval is widened to take in every single seed.
    """
    sides = [
        [_losses(rows, base, treatment, ours.window, seed) for treatment in (ours, other)]
        for seed in tables.seeds(rows)
    ]
    both = [(left, right) for left, right in sides if left and right]
    if not both:
        return None
    left, right = (seeds.averaged(side) for side in zip(*both, strict=True))
    found = comparison.paired(left, right)
    if found is None:
        return None
    alone = [one.value for left, right in both if (one := comparison.paired(left, right)) is not None]
    wins = f"ahead under {sum(value < 1 for value in alone)} of {plural(len(alone), 'seed')}"
    found = replace(found, sources=(rows[0].experiment,), detail=f"{wins}, {plural(found.documents, 'document')}")
    if found.low is None or found.high is None:
        return found
    return replace(found, low=min(found.low, *alone), high=max(found.high, *alone))


def _losses(rows: Sequence[Record], base: Base, treatment: Extension, window: int, seed: int) -> Losses:
    own = [record for record in rows if record.seed == seed]
    return comparison.document_losses(own, tables.extension(base, treatment), window)
