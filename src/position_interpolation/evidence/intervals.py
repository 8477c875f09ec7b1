"""95 % intervals: over documents a bootstrap, widened for the few that long texts allow; of trials as textbooks do."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
TAILS = (0.025, 0.975)
NORMAL = 1.959964  # half-width of a 95 % interval in standard errors that are known


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float | None
    high: float | None


def bootstrap(statistic: Callable[[Floats], Floats], count: int, samples: int, seed: int = 0) -> Estimate:
    """A statistic of `count` documents with the interval of a bootstrap over them, widened about the value.

    Documents, not tokens, are drawn again: tokens of one document are alike. One document has no interval.

    Args:
        statistic: of weights (draws, count), how often each document counts; returns (draws,) values.
        count: documents.
        samples: bootstrap draws; fewer than two give no interval.
        seed: of the draws.
    """
    value = float(statistic(np.ones((1, count)))[0])
    if count < 2 or samples < 2:
        return Estimate(value, None, None)
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


def sample_mean(values: Sequence[float]) -> Estimate:
    """Mean of independent values with the interval of Student's t; one value has none."""
    value = float(np.mean(values))
    if len(values) < 2:
        return Estimate(value, None, None)
    half = student(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate(value, value - half, value + half)


def wilson(successes: int, trials: int) -> Estimate:
    """A success rate with its Wilson score interval."""
    from scipy.stats import binomtest  # here: it takes half a second, which rendering needs not spend

    found = binomtest(successes, trials).proportion_ci(method="wilson")
    return Estimate(successes / trials, float(found.low), float(found.high))


def widening(count: int) -> float:
    """How much too narrow the plain bootstrap over `count` documents is.

    Drawing from n documents with replacement spreads sqrt((n - 1) / n) as much as new documents would (Efron and
    Tibshirani, An Introduction to the Bootstrap, section 5.3), and what so few say of their own spread is uncertain
    as in Student's t. For 4 normal documents the plain bootstrap's 95 % interval covers 81 %, this one 94 %; for 2 they
    cover 48 % and 91 %. From 50 documents on the two differ by less than 4 %.
    """
    return student(count - 1) / NORMAL * math.sqrt(count / (count - 1))


def student(freedom: float) -> float:
    """Half-width of a 95 % interval in standard errors that are estimated with so many degrees of freedom."""
    return float(stdtrit(freedom, TAILS[1]))
