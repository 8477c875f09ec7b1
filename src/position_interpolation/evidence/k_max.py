"""k_max: the longest distance up to which enough keys are found, and its 95 % interval (section 3.4)."""

from itertools import takewhile

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from position_interpolation.evidence.intervals import TAILS, Estimate

SUCCESS, LONGEST = "success", "k_max"  # metrics: at a distance and over all, and the longest distance
THRESHOLD = 0.2  # of success: the paper's, for records that name none


def longest_reached(rates: dict[int, float], threshold: float) -> int:
    """k_max: the largest distance k such that every k' <= k reaches the threshold; 0 if the shortest does not."""
    return max(takewhile(lambda distance: rates[distance] >= threshold, sorted(rates)), default=0)


def k_max(successes: dict[int, int], trials: int, threshold: float) -> Estimate:
    """k_max with a 95 % interval from exact binomial tests, 2.5 % at each end.

    The low end is the largest k such that each k' <= k succeeds significantly more often than the threshold. The high
    end is the largest k up to which no run of neighbouring distances, taken together, succeeds significantly less
    often; this test is corrected for the number of runs. No rates are assumed, so the truth lies inside at least 95
    times in 100. But a few trials leave nearly every k possible, and with one trial per distance the low end is always
    0.
    """
    value = longest_reached({k: wins / trials for k, wins in successes.items()}, threshold)
    order = sorted(successes)
    wins = np.array([successes[k] for k in order])
    surely = bdtrc(wins - 1, trials, threshold) < TAILS[0]  # P(at least so many hits) if the rate is the threshold
    low = longest_reached(dict(zip(order, surely.astype(float), strict=True)), 1.0)
    high = [0, *order][_first_failing(wins, trials, threshold)]
    return Estimate(float(value), float(low), float(high))


def _first_failing(wins: NDArray[np.int64], trials: int, threshold: float) -> int:
    """How many distances come before the end of the first run that succeeds significantly too seldom."""
    sums, count = np.concatenate([[0], np.cumsum(wins)]), len(wins)
    runs = count * (count + 1) / 2
    for stop in range(1, count + 1):
        starts = np.arange(stop)
        if (bdtr(sums[stop] - sums[starts], trials * (stop - starts), threshold) < TAILS[0] / runs).any():
            return stop - 1
    return count
