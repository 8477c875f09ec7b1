"""95 % intervals: a bootstrap over documents, widened where they are few; textbook intervals for independent trials."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
TAILS = (0.025, 0.975)
NORMAL = 1.959964  # half-width of a 95 % interval in standard errors that are known


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None

    def mapped(self, change: Callable[[float], float]) -> Self:
        """The same under a function that keeps the order of numbers."""
        low, high = (None if end is None else change(end) for end in (self.low, self.high))
        return replace(self, value=change(self.value), low=low, high=high)

    def widened(self, half: float) -> Self:
        """The same with an independent half-width added to each side of the interval, as squares."""
        if self.low is None or self.high is None:
            return self
        below, above = math.hypot(self.value - self.low, half), math.hypot(self.high - self.value, half)
        return replace(self, low=self.value - below, high=self.value + above)


def bootstrap(statistic: Callable[[Floats], Floats], count: int, samples: int, seed: int = 0) -> Estimate:
    """A statistic of `count` documents, with the interval of a bootstrap over them, widened about the value.

    Documents are resampled, not tokens, because tokens of one document are alike. One document has no interval, and
    neither has a bootstrap of fewer than two draws (`samples`). From weights (draws, count), which say how often each
    document counts, the statistic gives (draws,) values.
    """
    value = float(statistic(np.ones((1, count)))[0])
    if count < 2 or samples < 2:
        return Estimate(value)
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=samples)
    low, high = np.quantile(statistic(weights.astype(np.float64)), TAILS)
    wider = widening(count)
    return Estimate(value, value - wider * (value - float(low)), value + wider * (float(high) - value))


def ratio_of_sums(pairs: Floats, samples: int, seed: int = 0) -> Estimate:
    """Sum of numerators over sum of denominators; `pairs` is (documents, 2)."""

    def statistic(weights: Floats) -> Floats:
        sums: Floats = weights @ pairs
        return np.asarray(sums[:, 0] / sums[:, 1])

    return bootstrap(statistic, len(pairs), samples, seed)


def mean(values: Sequence[float] | Floats, samples: int, seed: int = 0) -> Estimate:
    """Mean of one value a document (or question)."""
    return ratio_of_sums(np.array([(value, 1.0) for value in values], np.float64), samples, seed)


def half_width(values: Sequence[float]) -> float:
    """Half-width of Student's 95 % interval of the mean of independent values; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    return student(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def log_likelihood(values: Sequence[float]) -> Estimate:
    """Mean log-likelihood of independent answers with the interval of Student's t, up to 0; a single one has none."""
    value, half = float(np.mean(values)), half_width(values)
    return Estimate(value, value - half, min(value + half, 0.0)) if len(values) > 1 else Estimate(value)


def wilson(successes: int, trials: int) -> Estimate:
    """A success rate with its Wilson score interval."""
    from scipy.stats import binomtest  # imported here: it takes half a second, and most of rendering needs none of it

    found = binomtest(successes, trials).proportion_ci(method="wilson")
    return Estimate(successes / trials, float(found.low), float(found.high))


def widening(count: int) -> float:
    """The factor by which the plain bootstrap over `count` documents is too narrow.

    Drawing from n documents with replacement spreads sqrt((n - 1) / n) as much as new documents would (Efron and
    Tibshirani, An Introduction to the Bootstrap, section 5.3). Moreover, a few documents tell their own spread only
    roughly, which Student's t makes up for. For 4 normal documents the plain bootstrap's 95 % interval covers 81 %,
    this one 94 %; for 2 they cover 48 % and 91 %. From 50 documents on the two differ by less than 4 %.
    """
    return student(count - 1) / NORMAL * math.sqrt(count / (count - 1))


def student(freedom: float) -> float:
    """Half-width of a 95 % interval, in standard errors estimated with so many degrees of freedom."""
    return float(stdtrit(freedom, TAILS[1]))
