"""Two measurements compared on the same documents: an effect with its interval."""

import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, extension_of
from position_interpolation.evidence.intervals import Estimate, Floats, bootstrap, mean
from position_interpolation.evidence.records import Record

SAMPLES = 2000  # bootstrap draws
Losses = dict[str, tuple[float, int]]  # mean loss in nats per token and scored tokens, by document


@dataclass(frozen=True)
class Effect(Estimate):
    """A number that a claim is judged by, with its 95 % interval, and where it comes from.

    A printed or computed number is its own interval. A measured one that cannot be resampled has none.
    """

    documents: int = 0
    sources: tuple[str, ...] = ()  # the experiments, or the paper's tables
    detail: str = ""  # the numbers behind it, and on how much they rest
    each: tuple[float, ...] = ()  # of every single document, where documents are paired

    def mapped(self, change: Callable[[float], float]) -> Self:
        """The same under a function that keeps the order of numbers."""
        return replace(super().mapped(change), each=tuple(map(change, self.each)))

    def scaled(self, factor: float) -> Self:
        """The same in another unit."""
        return self.mapped(lambda value: factor * value)


def exact(value: float, source: str, detail: str = "") -> Effect:
    """A number without an interval: printed or computed."""
    return Effect(value, value, value, 0, (source,), detail)


def recorded(record: Record, detail: str = "") -> Effect:
    """One record as an effect. Of a number that is only known to be large, the value is the least it can be."""
    value = record.value if math.isfinite(record.value) else record.ci_low or 0.0
    high = value if math.isinf(record.value) else record.ci_high
    return Effect(value, record.ci_low, high, record.n_documents or 0, (record.experiment,), detail)


def apart(left: Effect, right: Effect) -> Effect:
    """Left minus right. The intervals are added up, which is wider than an interval of paired numbers would be."""
    ends = ((left.low, right.high), (left.high, right.low))
    low, high = (None if ours is None or theirs is None else ours - theirs for ours, theirs in ends)
    sources = dict.fromkeys((*left.sources, *right.sources))
    detail = f"{left.detail} against {right.detail}"
    return Effect(left.value - right.value, low, high, left.documents, tuple(sources), detail)


def independent(left: Effect, right: Effect) -> Effect:
    """Left minus right, for two rates of independent trials, with Newcombe's interval, which adds the squares."""
    effect = apart(left, right)
    if left.low is None or left.high is None or right.low is None or right.high is None:
        return effect
    below, above = (left.value - left.low, right.high - right.value), (left.high - left.value, right.value - right.low)
    return replace(effect, low=effect.value - math.hypot(*below), high=effect.value + math.hypot(*above))


def document_losses(
    records: Sequence[Record], extension: Extension, eval_window: int, metric: str = "document_loss"
) -> Losses:
    """(Mean loss in nats per token, scored tokens) of every document under one extension at one window.

    The metric `document_window_loss` gives the mean of a document's window means, not the mean over its tokens.
    """
    return {
        record.document: (record.value, record.n_tokens or 0)
        for record in records
        if record.metric == metric and record.eval_window == eval_window and extension_of(record) == extension
    }


def paired(left: Losses, right: Losses) -> Effect | None:
    """Ratio of two perplexities, left over right, paired by document: see `products`."""
    return products([left], [right])


def products(over: Sequence[Losses], under: Sequence[Losses], same_tokens: bool = True) -> Effect | None:
    """Product of some perplexities over the product of others, on their common documents.

    Each perplexity is exp(sum of losses / tokens), as under protocol `token`. The bootstrap draws the same documents
    for all of them. So what makes a document hard cancels, where separate intervals would count it twice.

    Documents of which not all scored as many tokens are left out, unless `same_tokens` is false: two windows' samples
    score different parts of a document. None if no document is common; no interval if only one is.
    """
    measured = [*over, *under]
    shared = set.intersection(*(set(losses) for losses in measured))
    common = sorted(name for name in shared if not same_tokens or len({losses[name][1] for losses in measured}) == 1)
    if not common:
        return None

    def logarithm(weights: Floats) -> Floats:
        above, below = (sum(_mean_loss(losses, common, weights) for losses in side) for side in (over, under))
        return np.asarray(above - below)

    found = bootstrap(logarithm, len(common), SAMPLES).mapped(math.exp)
    each = tuple(np.exp(logarithm(np.eye(len(common)))).tolist())
    return Effect(found.value, found.low, found.high, len(common), each=each)


def _mean_loss(losses: Losses, documents: Sequence[str], weights: Floats) -> Floats:
    """(draws,) nats per token, each document counted as often as `weights` (draws, documents) says."""
    means, tokens = np.array([losses[name] for name in documents], np.float64).T
    return np.asarray((weights @ (means * tokens)) / (weights @ tokens))


def difference(left: dict[str, float], right: dict[str, float]) -> Effect | None:
    """Mean of left minus right over the documents that both have; None if there is none, no interval if only one."""
    common = sorted(left.keys() & right.keys())
    if not common:
        return None
    found = mean([left[name] - right[name] for name in common], SAMPLES)
    return Effect(found.value, found.low, found.high, len(common))


@dataclass(frozen=True)
class Stretch:
    """Blocks of positions of one extension, and the losses of each document over all of them."""

    blocks: list[Record]
    documents: Losses


def stretches(records: Sequence[Record], extension: Extension) -> tuple[Stretch, Stretch]:
    """An extension's blocks inside the base's window L, and those wholly past it."""
    edge = extension.base_window
    found = select.by_block(records, extension)
    return (
        stretch(records, extension, {start for start, stop in found if stop <= edge}),
        stretch(records, extension, {start for start, _ in found if start >= edge}),
    )


def worst_block(records: Sequence[Record], extension: Extension) -> Stretch:
    """The block of highest perplexity past the base's window; empty if there is none."""
    _, past = stretches(records, extension)
    highest = sorted(past.blocks, key=lambda record: record.value)[-1:]
    return stretch(records, extension, {record.at for record in highest})


def stretch(records: Sequence[Record], extension: Extension, starts: Set[int | None]) -> Stretch:
    """An extension's blocks that start at these positions."""
    own = [record for record in records if extension_of(record) == extension and record.at in starts]
    sums: dict[str, list[float]] = {}
    for record in own:
        if record.metric == select.DOCUMENT_BLOCK_LOSS:
            total = sums.setdefault(record.document, [0.0, 0])
            total[0] += record.value * (record.n_tokens or 0)
            total[1] += record.n_tokens or 0
    documents = {name: (loss / tokens, round(tokens)) for name, (loss, tokens) in sums.items()}
    return Stretch([record for record in own if record.metric == select.BLOCK_PERPLEXITY], documents)


def blocks(left: Stretch, right: Stretch) -> Effect | None:
    """Ratio of the perplexities of two stretches of positions, left over right; None if a side has no block.

    It is paired by document. For a single document the intervals of its blocks are added up as if all erred in the
    worst direction. The result is wider than the 95 % interval, whatever the blocks have in common. There is none if a
    block has none.
    """
    if not left.blocks or not right.blocks:
        return None
    if len(left.documents.keys() & right.documents.keys()) > 1:
        return products([left.documents], [right.documents], same_tokens=False)
    value, low, high = (_mean_blocks(left.blocks) / _mean_blocks(right.blocks)[[0, 2, 1]]).tolist()
    if np.isnan([low, high]).any():
        low = high = None
    return Effect(value, low, high, min(record.n_documents or 0 for record in (*left.blocks, *right.blocks)))


def _mean_blocks(records: Sequence[Record]) -> Floats:
    """(3,) perplexity over all tokens of some blocks, and its outer bounds; NaN where a block has no interval."""
    numbers = np.array([(record.value, record.ci_low, record.ci_high) for record in records], np.float64)
    return np.exp(np.average(np.log(numbers), axis=0, weights=[record.n_tokens or 1 for record in records]))
