"""A random sample of a document's windows in place of all of them: long windows for a small part of their cost.

At a window of 32768 and a stride of 256 a book is run through the model 128 times. The first window scores more tokens
than the others and the last may score fewer, so both are always run. The windows between them all score S tokens. Some
of these are drawn without replacement, and each is weighted for those that were left out. Sums over a document are then
unbiased, and their spread tells how far the full evaluation may lie.
"""

import math

import numpy as np

from position_interpolation.evidence.intervals import Estimate, student
from position_interpolation.tasks.perplexity.windows import Plan, Scored, Span, ratio

LEAST = 2  # windows drawn from a document: a single one would have no spread


def every_window(spans: list[Span]) -> Plan:
    """A plan that leaves nothing out."""
    return Plan(spans, np.ones(len(spans)))


def drawn(documents: list[list[Span]], windows: int, seed: int) -> list[Plan]:
    """About `windows` windows of all documents together, in addition to each document's first and last.

    A document gets its share by length, but at least two, or all that it has. The draws of each document are its own.
    """
    between = sum(max(0, len(spans) - 2) for spans in documents)
    return [
        _drawn(spans, windows * max(0, len(spans) - 2) / max(1, between), np.random.default_rng([seed, index]))
        for index, spans in enumerate(documents)
    ]


def _drawn(spans: list[Span], share: float, generator: np.random.Generator) -> Plan:
    between = len(spans) - 2
    count = max(LEAST, round(share))
    if between <= count:
        return every_window(spans)
    chosen = np.sort(generator.choice(between, count, replace=False)) + 1
    picked = [0, *chosen.tolist(), len(spans) - 1]
    weights = np.array([1.0, *[between / count] * count, 1.0])
    return Plan([spans[index] for index in picked], weights)


def of_all_windows(documents: list[Scored]) -> Estimate:
    """Perplexity (protocol `token`) with a 95 % interval for that of all windows of these documents.

    The interval covers the windows that were left out, not other documents.
    """
    pairs = [ratio(document, "token") for document in documents]
    tokens = sum(pair[1] for pair in pairs)
    value = sum(pair[0] for pair in pairs) / tokens
    half = _half_width(documents) / tokens
    return Estimate(value, value - half, value + half).mapped(math.exp)


def _half_width(documents: list[Scored]) -> float:
    """Half-width of the interval of the estimated sum of losses, in nats.

    The variances of the documents add up: N^2 (1 - n / N) s^2 / n for n of N windows drawn. The degrees of freedom of
    their sum are those of Welch and Satterthwaite.
    """
    variances, freedoms = [], []
    for losses, weights in (document.by_window() for document in documents):
        sample, stood_for = losses[weights > 1], float(weights[weights > 1].sum())
        if count := len(sample):
            variances.append(stood_for * (stood_for - count) * float(sample.var(ddof=1)) / count)
            freedoms.append(count - 1)
    total = sum(variances)
    if not total:
        return 0.0
    freedom = total**2 / sum(one**2 / free for one, free in zip(variances, freedoms, strict=True))
    return student(freedom) * math.sqrt(total)
