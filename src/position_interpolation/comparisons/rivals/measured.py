"""What was measured of each compared method: at L, at L', and against the base."""

from collections.abc import Sequence
from dataclasses import dataclass

from position_interpolation.evidence import seeds, select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record


@dataclass(frozen=True)
class Compared:
    """An extension, or a base, compared at a window L'."""

    extension: Extension
    reach: int  # L' in tokens; for a base, the L' of the extensions beside it
    rows: Sequence[Record]  # perplexities of every seed, those of the base among them
    shown: Sequence[Record]  # the same with seeds pooled
    keys: Sequence[Record]  # passkey retrieval by one rule, seeds pooled

    @property
    def base_window(self) -> int:
        """L in tokens."""
        return self.extension.base_window

    def perplexity(self, window: int) -> Record | None:
        """At L or L'."""
        return select.find(self.shown, self.extension, "perplexity", window, "token")

    def ratio(self, window: int) -> Effect | None:
        """Perplexity at L or L' over that of the base at L, paired by document and over all seeds of tuning."""
        return seeds.over_base(self.rows, self.extension, window)

    def passkey(self, metric: str) -> Record | None:
        """Success or k_max in prompts of L'."""
        return select.find(self.keys, self.extension, metric, self.reach)


def compared(rows: Sequence[Record], keys: Sequence[Record]) -> list[Compared]:
    """Every extension at its own L', ascending; the base and what was tuned at L stand at each of these L'.

    `rows` are one group of `select.perplexities`, `keys` passkey retrieval by one rule, both of every seed.
    """
    shown, found, known = seeds.pooled(rows), seeds.pooled(keys), ordered(rows)
    return [
        Compared(item, reach, rows, shown, found)
        for reach in sorted({item.window for item in known if item.factor > 1})
        for item in known
        if item.factor == 1 or item.window == reach
    ]
