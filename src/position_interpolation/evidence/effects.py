"""What a check may ask, in the paper's terms, whoever answers: the paper's own tables or the records of a rung."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True)
class Cell:
    """A perplexity of Tables 1 to 3: of which model, extended how, read at which window."""

    model: str  # a size of LLaMA for the paper, a model's name for a rung
    task: str  # pg19 or proof_pile
    method: str  # none, extrapolation (the paper's FT; with factor 1 the base tuned further at L) or pi
    factor: int  # s = L' / L
    at: int  # W / L
    steps: int | None = None  # of tuning; None: tuned in full, PI 1000 steps and FT 10000 or the longest there is


@dataclass(frozen=True)
class Effect:
    """A number that a claim is judged by, with its 95 % interval, and where it comes from.

    A printed or computed number is its own interval; None means that one document gives none.
    """

    value: float
    low: float | None
    high: float | None
    source: str  # the table, or the experiment
    detail: str = ""  # the numbers behind it, and on how much they rest

    def scaled(self, factor: float) -> "Effect":
        """The same in another unit."""
        low, high = (None if end is None else factor * end for end in (self.low, self.high))
        return replace(self, value=factor * self.value, low=low, high=high)


def exact(value: float, source: str, detail: str = "") -> Effect:
    """A number without an interval: printed or computed."""
    return Effect(value, value, value, source, detail)


def apart(left: Effect, right: Effect) -> Effect:
    """Left minus right. The two intervals are added up, which is wider than that of paired numbers would be."""
    ends = ((left.low, right.high), (left.high, right.low))
    low, high = (None if ours is None or theirs is None else ours - theirs for ours, theirs in ends)
    sources = ", ".join(dict.fromkeys((left.source, right.source)))
    return Effect(left.value - right.value, low, high, sources, f"{left.detail} against {right.detail}")


class Evidence(Protocol):
    """Answers in the paper's terms; None for what is not there."""

    title: str
    printed: bool  # the paper's own tables: what is not there will never be

    def models(self, sizes: Sequence[str] = ()) -> Sequence[str]:
        """The models that a claim about these sizes of LLaMA (none named: all) is checked for."""

    def window(self, model: str, multiple: int) -> int:
        """A multiple of the model's window L, in tokens."""

    def factor(self, model: str, wanted: int, tuned: bool = True) -> int:
        """The factor of PI that stands for `wanted`: a rung that extends less far answers at the largest it has."""

    def perplexity(self, cell: Cell) -> Effect | None:
        """One perplexity."""

    def ratio(self, over: Sequence[Cell], under: Sequence[Cell]) -> Effect | None:
        """Product of some perplexities over the product of as many others, paired by document where it can be."""

    def past_window(self, model: str) -> Effect | None:
        """Perplexity of the untuned base at positions past L over that before, inside one forward."""

    def k_max(self, model: str, method: str, factor: int, steps: int | None = None) -> Effect | None:
        """Longest distance from which the passkey is retrieved, as a share of L' (Table 4); steps as in `Cell`."""

    def accuracy(self, model: str, test: str, factor: int, text: str = "pile") -> Effect | None:
        """Accuracy on a benchmark at L, in per cent, of the base (factor 1) or of PI tuned on a text (Table 5)."""

    def accuracy_change(self, model: str, test: str, factor: int, text: str = "pile") -> Effect | None:
        """The same against the base, in points."""

    def rouge_lead(self, metric: str) -> Effect | None:
        """How much higher the PI model's ROUGE on GovReport is than its rival's, in points (Table 6)."""

    def theory(self, metric: str, head_dim: int | None = None, window: int | None = None) -> Effect | None:
        """A number of section 2, as the records of the task `theory` name it: `audited` in tasks/theory/measure.py."""
