"""Section 2 of the paper, recomputed: what holds, what does not, and what Figures 2 and 5 show."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure
from numpy.typing import NDArray

from position_interpolation.tasks.theory.bounds import (
    BETWEEN_SPANS,
    Audit,
    Solver,
    attention_score,
    audit,
    corrected_curvature,
    fit_random_scores,
    frequencies,
    grid_bound,
    interpolation_bound,
    linear_score,
    midpoint_deviation,
    partial_sum_magnitude,
    printed_curvature,
    score_bounds,
    violating_coefficients,
)
from position_interpolation.tasks.theory.figures import figure_2, figure_5
from position_interpolation.tasks.theory.numbers import figure_2_rows, figure_5_rows, random_fits

Complexes = NDArray[np.complex128]

coefficients = st.integers(1, 64).flatmap(
    lambda pairs: arrays(np.complex128, pairs, elements=st.complex_numbers(max_magnitude=1e3, allow_subnormal=False))
)


# Interpolation: eqs. 5, 7 and 14


def test_frequencies_span_one_radian_to_nearly_one_over_the_base() -> None:
    theta = frequencies(128)
    assert theta[0] == 1
    assert theta[-1] == pytest.approx(math.exp(-math.log(10000) * 126 / 128))


def test_the_score_is_the_rotary_attention_score() -> None:
    """a(m - n) is the dot product of a query turned by m theta and a key turned by n theta, pair by pair."""
    query, key = np.random.default_rng(0).standard_normal((2, 128))
    query_pairs, key_pairs = query[0::2] + 1j * query[1::2], key[0::2] + 1j * key[1::2]
    turned_query = query_pairs * np.exp(1j * 700 * frequencies(128))
    turned_key = key_pairs * np.exp(1j * 123 * frequencies(128))
    dot_product = (turned_query.real * turned_key.real + turned_query.imag * turned_key.imag).sum()
    assert attention_score(query_pairs * key_pairs.conj(), 700 - 123) == pytest.approx(dot_product)


def test_the_printed_bound_is_the_papers_294_73() -> None:
    """Eq. 7: d max|h| / 294.73, hence "about 600 times" smaller than 2 max|h| d."""
    assert 128 / grid_bound(printed_curvature(128)) == pytest.approx(294.73, abs=0.005)
    assert 2 * 128 / grid_bound(printed_curvature(128)) == pytest.approx(589, abs=0.5)


def test_equation_14_runs_the_wrong_way() -> None:
    """It needs 1 / (1 - c^(-4/d)) <= d / (4 ln c); the opposite holds at every head dimension."""
    assert corrected_curvature(128) == pytest.approx(3.9983, abs=5e-5)
    assert printed_curvature(128) == pytest.approx(3.4744, abs=5e-5)
    assert all(corrected_curvature(head_dim) > printed_curvature(head_dim) for head_dim in range(2, 1026, 2))


@pytest.mark.parametrize("left", [0.0, 1.0, 2047.0])
def test_a_query_and_key_exist_that_violate_the_printed_bound(left: float) -> None:
    violation = violating_coefficients(128, left)
    assert np.abs(violation) == pytest.approx(1)
    assert midpoint_deviation(violation, left) == pytest.approx(0.49388, abs=5e-6)
    assert grid_bound(printed_curvature(128)) < 0.49388 < grid_bound(corrected_curvature(128))


@given(h=coefficients, left=st.integers(0, 32767), fraction=st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_the_corrected_bound_is_never_exceeded(h: Complexes, left: int, fraction: float) -> None:
    """Pointwise, hence also on the integer grid, for any h and any span between two integers."""
    span, largest = left + fraction, np.abs(h).max()
    deviation = np.abs(attention_score(h, span) - linear_score(h, span, left, left + 1))
    rounding = 1e-9 * h.size * largest
    curvature = corrected_curvature(2 * h.size)
    assert deviation <= largest * interpolation_bound(curvature, span, left, left + 1) + rounding
    assert deviation <= largest * grid_bound(curvature) + rounding


def test_interpolation_is_exact_at_grid_points_and_worst_half_way() -> None:
    spans = np.linspace(7, 8, 101)
    bound = interpolation_bound(printed_curvature(128), spans, 7, 8)
    assert bound[[0, -1]] == pytest.approx(0)
    assert spans[bound.argmax()] == pytest.approx(7.5)
    assert bound.max() == pytest.approx(grid_bound(printed_curvature(128)))
    h = np.random.default_rng(0).standard_normal(64) + 0j
    assert linear_score(h, [7, 8], 7, 8) == pytest.approx(attention_score(h, [7, 8]))


def test_gaussian_queries_and_keys_stay_far_below_both_bounds() -> None:
    """The violation is a worst case: the median deviation is 6 % of the printed bound."""
    query, key = np.random.default_rng(0).standard_normal((2, 500, 64, 2)) @ np.array([1, 1j])
    shares = [
        midpoint_deviation(h) / (np.abs(h).max() * grid_bound(printed_curvature(128))) for h in query * key.conj()
    ]
    assert np.median(shares) == pytest.approx(0.06, abs=0.02)
    assert max(shares) < 0.5


# Extrapolation: eq. 8 and Fig. 5


@given(h=coefficients, span=st.floats(0, 32768))
@settings(max_examples=200, deadline=None)
def test_both_bounds_of_equation_8_hold(h: Complexes, span: float) -> None:
    tighter, looser = score_bounds(h, span)
    rounding = 1e-9 * h.size * np.abs(h).max()
    assert np.abs(attention_score(h, span)) <= tighter + rounding
    assert tighter <= looser + rounding


def test_partial_sums_start_at_their_closed_form() -> None:
    """At s = 0 every rotation is 1, so B(0) = 1 + 2 + ... + d/2."""
    for head_dim in (16, 64, 128):
        assert partial_sum_magnitude(0, head_dim) / head_dim == pytest.approx((head_dim + 2) / 8)


def test_partial_sums_do_not_depend_on_how_spans_are_chunked() -> None:
    spans = np.arange(60).reshape(3, 20)
    whole = partial_sum_magnitude(spans, 32)
    assert whole.shape == (3, 20)
    assert partial_sum_magnitude(spans, 32, chunk=7) == pytest.approx(whole)


def test_figure_5_states_its_minimum() -> None:
    rows = figure_5_rows()
    assert rows["ratio_at_zero"] == 16.25
    assert rows["smallest_ratio"] == pytest.approx(1.1159, abs=5e-5)
    assert rows["smallest_ratio_span"] == 3643
    assert rows["share_below_one"] == 0
    assert rows["factor_printed"] > 589 > rows["factor_corrected"] > 500
    assert isinstance(figure_5(), Figure)


def test_the_factor_of_600_ends_beyond_the_plotted_range() -> None:
    """At the paper's own extended window of 32768, B(s) / d falls below 1."""
    ratio = partial_sum_magnitude(np.arange(32768), 128) / 128
    assert ratio.min() == pytest.approx(0.629, abs=5e-4)
    assert ratio.argmin() == 22297


TABLE = """
 16  0.05429  0.13889  0.13628  0.3226  62.5
 32  0.10857  0.18281  0.17994  0.3808  32.0
 64  0.21715  0.28561  0.28183  0.6283   7.3
 80  0.27143  0.33871  0.33442  0.7308   2.3
 96  0.32572  0.39221  0.38738  0.8603   0.6
128  0.43429  0.49979  0.49388  1.1159   0.0
256  0.86859  0.93259  0.92224  1.8306   0.0
"""


@pytest.mark.parametrize("expected", TABLE.strip().splitlines())
def test_the_audit_by_head_dimension(expected: str) -> None:
    """Columns: d, printed bound, corrected bound, worst midpoint deviation, min B/d, % of spans below 1."""
    row = audit(int(expected.split()[0]))
    assert _printed(row).split() == expected.split()
    assert row.printed_bound < row.worst_midpoint_deviation < row.corrected_bound


def _printed(row: Audit) -> str:
    deviations = f"{row.printed_bound:.5f} {row.corrected_bound:.5f} {row.worst_midpoint_deviation:.5f}"
    return f"{row.head_dim} {deviations} {row.smallest_ratio:.4f} {100 * row.share_below_one:.1f}"


# Fig. 2: the same score function, read outside its window and between its integers


def test_figure_2_is_bounded_inside_and_explodes_outside() -> None:
    """With the paper's arithmetic: below the noise inside, orders of magnitude above it outside."""
    fit = fit_random_scores("normal_float32")
    noise = np.abs(fit.targets).max()
    assert fit.largest("inside").max() < noise
    assert fit.largest("outside")[fit.typical] > 30 * fit.largest("inside")[fit.typical]
    assert fit.largest("outside").max() > 100 * fit.largest("inside").max()


@pytest.mark.parametrize("solver", ["normal_float32", "normal_float64", "svd", "ridge"])
def test_figure_2_is_smooth_between_integers(solver: Solver) -> None:
    """Between integers the score neither leaves the range of its integer neighbours nor wiggles."""
    fit = fit_random_scores(solver)
    on_integers = np.abs(fit.between[:, BETWEEN_SPANS % 1 == 0]).max(axis=1)
    assert (fit.largest("between") < on_integers + 0.05).all()
    assert np.abs(np.diff(fit.between)).max() < 0.05


def test_figure_2s_height_belongs_to_the_arithmetic() -> None:
    """The same noise and the same least squares reach heights that differ by six orders of magnitude."""
    rows = figure_2_rows(random_fits())
    assert rows["ridge_outside_median"] < 10
    assert rows["normal_float32_outside_median"] > 10 * rows["ridge_outside_median"]
    assert rows["svd_outside_median"] > 8000
    assert rows["normal_float64_outside_median"] > 1e6


def test_figure_2_states_the_draw_of_median_height() -> None:
    rows = figure_2_rows(random_fits(), "svd")
    assert rows["plotted_outside"] == rows["svd_outside_median"]
    assert rows["plotted_between"] <= 1.05 * rows["plotted_inside"] + 0.05
    assert [axes.get_xlabel() for axes in figure_2("svd").axes] == ["span s (tokens)"] * 3


def test_targets_depend_on_the_seed_alone() -> None:
    targets = [fit_random_scores("ridge", seed=seed, draws=3).targets for seed in (1, 1, 2)]
    assert (targets[0] == targets[1]).all()
    assert (targets[0] != targets[2]).any()
    assert (fit_random_scores("svd", seed=1, draws=3).targets == targets[0]).all()


# Mistakes are named


def test_mistaken_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="positive even head_dim"):
        frequencies(63)
    with pytest.raises(ValueError, match="base above 1"):
        frequencies(64, base=1)
    with pytest.raises(ValueError, match="normal_float32, normal_float64, svd, ridge"):
        fit_random_scores("lasso")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="interpolated spans"):
        fit_random_scores(window=64)
