"""95 % intervals hold the truth about as often as they say, also over the few documents that long texts allow."""

import math

import numpy as np
import pytest

from position_interpolation.evidence.intervals import log_likelihood, mean, student, widening, wilson


def coverage(count: int, draws: int = 600) -> float:
    """How often the interval of the mean of `count` normal values holds their true mean."""
    values = np.random.default_rng(count).standard_normal((draws, count))
    found = [mean(row, samples=300, seed=number) for number, row in enumerate(values)]
    return sum(one.low <= 0 <= one.high for one in found if one.low is not None and one.high is not None) / draws


@pytest.mark.parametrize("count", [3, 4, 8, 20])
def test_the_interval_covers_as_often_as_it_says(count: int) -> None:
    """A plain percentile bootstrap covers 74 % at three and 81 % at four."""
    assert 0.91 <= coverage(count) <= 0.98


def test_of_two_values_it_still_covers_nine_times_in_ten() -> None:
    assert coverage(2) >= 0.88


def test_the_widening_vanishes_with_many_documents() -> None:
    assert widening(2) == pytest.approx(12.7062 / 1.95996 * math.sqrt(2), rel=1e-4)
    assert widening(4) == pytest.approx(3.18245 / 1.95996 * math.sqrt(4 / 3), rel=1e-4)
    assert widening(100_000) == pytest.approx(1, abs=1e-4)


def test_student_by_its_printed_table() -> None:
    assert [student(freedom) for freedom in (1, 3, 7, 1e9)] == pytest.approx([12.706, 3.182, 2.365, 1.960], abs=5e-4)


def test_equal_values_have_no_width_and_one_value_no_interval() -> None:
    alike = mean([3.0] * 5, 100)
    assert (alike.value, alike.low, alike.high) == (3, 3, 3)
    assert mean([1.0], 100).low is None


def test_many_coins() -> None:
    spread = mean([0.0, 1.0] * 50, 4000)
    assert spread.value == 0.5
    assert spread.low == pytest.approx(0.5 - 1.99 * 0.05025, abs=0.012)


def test_a_mean_log_likelihood_by_hand() -> None:
    """Of 1, 2, 3, 4 the standard error is sqrt(5/3) / 2, and Student's t with three degrees of freedom 3.182."""
    found = log_likelihood([-1.0, -2.0, -3.0, -4.0])
    assert found.value == -2.5
    assert found.high == pytest.approx(-2.5 + 3.18245 * math.sqrt(5 / 3) / 2, rel=1e-5)
    assert found.low == pytest.approx(-5 - (found.high or 0))
    assert log_likelihood([-0.1, -9.0]).high == 0
    assert log_likelihood([-1.0]).low is None


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Agresti and Coull (1998): with z = 1.96 and no success the upper limit is z^2 / (n + z^2).
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (2, 10, 0.0567, 0.5098),
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), Table I, method 3
    ],
)
def test_wilson_interval(successes: int, trials: int, low: float, high: float) -> None:
    estimate = wilson(successes, trials)
    assert estimate.value == successes / trials
    assert estimate.low == pytest.approx(low, abs=6e-5)
    assert estimate.high == pytest.approx(high, abs=6e-5)


@pytest.mark.parametrize("trials", [1, 10, 320])
def test_wilson_is_its_closed_form(trials: int) -> None:
    """By which earlier rows were measured: they are the same numbers."""
    z = 1.959964
    for wins in range(trials + 1):
        rate, found = wins / trials, wilson(wins, trials)
        centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z / (1 + z**2 / trials) * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
        assert (found.value, found.low, found.high) == pytest.approx((rate, centre - half, centre + half), abs=1e-7)
