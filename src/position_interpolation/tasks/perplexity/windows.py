"""Sliding windows over one document, and the perplexities that different readings make of them (section 3.2).

Windows of W positions start every S tokens of one document. BOS, if there is one, takes a window's first position. Only
tokens count that no earlier window scored: all of the first window, and the last S tokens of each later one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from position_interpolation.evidence.intervals import Estimate, Floats, ratio_of_sums
from position_interpolation.settings.errors import UsageError

PROTOCOLS = ("token", "window", "document", "truncated", "overlapping")
DOCUMENT_LOSSES = {"token": "document_loss", "window": "document_window_loss"}  # metrics of single documents


@dataclass(frozen=True)
class Span:
    """One window: the document's tokens `start` .. `stop` - 1, of which the last `scored` count."""

    start: int
    stop: int
    scored: int


def plan(tokens: int, window: int, stride: int, bos: bool) -> list[Span]:
    """The windows of a document of `tokens` tokens.

    Without BOS the document's first token has nothing before it and is never scored. The last window ends with the
    document, so it may be shorter and score fewer tokens.

    Raises:
        UsageError: the stride leaves a window's tokens no context, or the document has no token to score.
    """
    body = window - bos
    if not 0 < stride < window:  # at `window`, a later window's first token would have nothing before it
        raise UsageError(f"stride {stride} does not fit a window of {window}: expected 1 .. {window - 1}")
    if tokens < 2 - bos:
        raise UsageError(f"a document of {tokens} tokens has none to score: leave it out")
    spans: list[Span] = []
    scored_until = 0 if bos else 1
    for start in range(0, tokens, stride):
        stop = min(start + body, tokens)
        spans.append(Span(start, stop, stop - scored_until))
        scored_until = stop
        if stop == tokens:
            break
    return spans


def plan_overlapping(tokens: int, window: int, stride: int, bos: bool) -> list[Span]:
    """The same windows with every token of each scored again, as code that averages whole windows does."""
    return [replace(span, scored=span.stop - span.start - (not bos)) for span in plan(tokens, window, stride, bos)]


@dataclass(frozen=True)
class Plan:
    """The windows of a document that are run, and how many of its windows each stands for (see `sampling`)."""

    spans: list[Span]
    weights: Floats  # (windows,), all 1 where every window is run


@dataclass(frozen=True)
class Scored:
    """Token losses of one document in the order of its windows, and how many each window scored."""

    losses: Floats  # (n,) nats
    counts: NDArray[np.int64]  # (windows,), sums to n
    weights: Floats | None = None  # (windows,), of its `Plan`; None: all 1

    def by_window(self) -> tuple[Floats, Floats]:
        """(windows,) summed losses, and (windows,) how many windows each stands for."""
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        weights = np.ones(len(self.counts)) if self.weights is None else self.weights
        return np.add.reduceat(self.losses, starts), weights


def ratio(scored: Scored, protocol: str) -> tuple[float, float]:
    """A document's share (numerator, denominator) of a protocol: log perplexity = sum numerators / sum denominators.

    `token`: every token counts alike. `window`: every window counts alike, whatever it scored (as in code validated
    against the paper). `document`: every document counts alike. `truncated`: only the first window counts.
    `overlapping`: as `token`, over the windows of `plan_overlapping`.
    """
    losses, weights = scored.by_window()
    total, tokens = float(weights @ losses), float(weights @ scored.counts)
    shares = {
        "token": (total, tokens),
        "window": (float(weights @ (losses / scored.counts)), float(weights.sum())),
        "document": (total / tokens, 1.0),
        "truncated": (float(losses[0]), float(scored.counts[0])),
        "overlapping": (total, tokens),
    }
    return shares[protocol]


def scored_tokens(scored: Scored, protocol: str) -> int:
    """Tokens of a document whose losses a protocol uses."""
    return int(scored.counts[0]) if protocol == "truncated" else len(scored.losses)


def perplexity(documents: list[Scored], protocol: str, samples: int, seed: int = 0) -> Estimate:
    """Perplexity over documents with an interval over documents."""
    pairs = np.array([ratio(document, protocol) for document in documents])
    return ratio_of_sums(pairs, samples, seed).mapped(lambda loss: float(np.exp(loss)))


def bits_per_byte(documents: list[Scored], sizes: list[int], samples: int) -> Estimate:
    """Loss in bits per byte of scored text, which is comparable between tokenizers, as perplexity is not.

    `sizes` are the bytes (UTF-8) of each document's scored tokens, `samples` the draws of a bootstrap over documents.
    """
    pairs = [(ratio(document, "token")[0] / np.log(2), size) for document, size in zip(documents, sizes, strict=True)]
    return ratio_of_sums(np.array(pairs, np.float64), samples)
