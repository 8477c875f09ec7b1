"""What was measured of each method that is compared: at L, at L', and against the base."""

from collections.abc import Sequence
from dataclasses import dataclass

from position_interpolation.evidence import comparison, seeds, select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import PAPERS, Extension, extension_of, ordered
from position_interpolation.evidence.records import Record


@dataclass(frozen=True)
class Compared:
    """An extension, or a base, compared at a window L'."""

    extension: Extension
    reach: int  # L' in tokens; of a base, that of the extensions beside it
    rows: Sequence[Record]  # of perplexity, of every seed; the base's are among them
    shown: Sequence[Record]  # the same with seeds pooled
    keys: Sequence[Record]  # of passkey retrieval by one rule, seeds pooled

    def window(self, inside: bool) -> int:
        """L or L'."""
        return self.extension.base_window if inside else self.reach

    def perplexity(self, inside: bool) -> Record | None:
        """At L, or at L'."""
        return select.find(self.shown, self.extension, "perplexity", self.window(inside), "token")

    def ratio(self, inside: bool) -> Effect | None:
        """Perplexity at L or L' over that of the base at L, paired by document and over all seeds of tuning."""
        return against_base(self.rows, self.extension, self.window(inside))

    def passkey(self, metric: str) -> Record | None:
        """Success or k_max in prompts of L'."""
        return select.find(self.keys, self.extension, metric, self.reach)


def has_rivals(rows: Sequence[Record]) -> bool:
    """Whether a method that the paper does not have is among these."""
    return any(item.method not in PAPERS for item in ordered(rows))


def compared(rows: Sequence[Record], keys: Sequence[Record]) -> list[Compared]:
    """Every extension at its own window by ascending L'; the base, and what was tuned at L, at each of them.

    Args:
        rows: one group of `select.perplexities`, of every seed.
        keys: records of passkey retrieval by one rule, of every seed.
    """
    shown, found, known = seeds.pooled(rows), seeds.pooled(keys), ordered(rows)
    return [
        Compared(item, reach, rows, shown, found)
        for reach in sorted({item.window for item in known if item.factor > 1})
        for item in known
        if item.factor == 1 or item.window == reach
    ]


def against_base(rows: Sequence[Record], item: Extension, window: int) -> Effect | None:
    """Perplexity at a window over that of the base at L; None if no document was read by both.

    What rests on one seed of tuning is widened by what seeds are known to differ.
    """
    by_seed: dict[int | None, list[Record]] = {}
    for row in rows:
        if row.metric == "document_loss" and extension_of(row) in (item, item.untouched):
            by_seed.setdefault(row.seed, []).append(row)
    base = (comparison.document_losses(own, item.untouched, item.base_window) for own in by_seed.values())
    under = next((losses for losses in base if losses), {})  # untuned: the same under every seed
    measured = [losses for own in by_seed.values() if (losses := comparison.document_losses(own, item, window))]
    if not item.steps:
        measured = measured[:1]
    found = seeds.products([([over], [under]) for over in measured], same_tokens=window == item.base_window)
    return seeds.of_one_seed(found) if found is not None and item.steps and len(measured) == 1 else found
