"""The numbers that Figures 2 and 5 state; no model. Each function takes the arguments of its figure."""

import numpy as np

from position_interpolation.tasks.theory.bounds import (
    BASE,
    RandomFit,
    Solver,
    corrected_curvature,
    fit_random_scores,
    grid_bound,
    partial_sum_magnitude,
    printed_curvature,
)

SOLVERS: tuple[Solver, ...] = ("normal_float32", "normal_float64", "svd", "ridge")


def figure_2_rows(
    solver: Solver = "normal_float32",
    *,
    head_dim: int = 128,
    window: int = 2048,
    base: float = BASE,
    seed: int = 0,
    draws: int = 101,
) -> dict[str, float]:
    """Return the numbers stated by Figure 2, each a largest |a(s)|.

    `plotted_inside`, `plotted_outside`, `plotted_between`: of the draw shown, on the fitted integers, on the
    integers of [L, 2L), and at fractions of a token. `<solver>_outside_median`, `_smallest`, `_largest`: on
    [L, 2L), over the draws of each solver. Raises as `theory.fit_random_scores`.
    """
    return random_fit_rows(solver, random_fits(head_dim, window, base, seed, draws))


def figure_5_rows(head_dim: int = 128, *, base: float = BASE, spans: int = 4096) -> dict[str, float]:
    """Return the numbers stated by Figure 5.

    `ratio_at_zero`, `smallest_ratio`: of B(s) / d; `smallest_ratio_span`: where, in tokens;
    `share_below_one`: the fraction of spans with B(s) / d < 1; `factor_printed`, `factor_corrected`: how many
    times the extrapolation bound of eq. 8 exceeds either interpolation bound, at the minimum.
    Raises ValueError as `theory.frequencies`.
    """
    ratio = partial_sum_magnitude(np.arange(spans), head_dim, base) / head_dim
    smallest = float(ratio.min())
    return {
        "ratio_at_zero": float(ratio[0]),
        "smallest_ratio": smallest,
        "smallest_ratio_span": float(ratio.argmin()),
        "share_below_one": float((ratio < 1).mean()),
        "factor_printed": 2 * smallest * head_dim / grid_bound(printed_curvature(head_dim, base)),
        "factor_corrected": 2 * smallest * head_dim / grid_bound(corrected_curvature(head_dim, base)),
    }


def random_fits(head_dim: int, window: int, base: float, seed: int, draws: int) -> dict[Solver, RandomFit]:
    """Fit the same noise with every solver."""
    return {name: fit_random_scores(name, head_dim, window, seed, draws, base, ridge=1.0) for name in SOLVERS}


def random_fit_rows(solver: Solver, fits: dict[Solver, RandomFit]) -> dict[str, float]:
    """Measure the draw that is shown, and over all draws the height that every solver reaches outside."""
    shown = fits[solver]
    rows = {
        "plotted_inside": float(shown.largest("inside")[shown.typical]),
        "plotted_outside": float(shown.largest("outside")[shown.typical]),
        "plotted_between": float(shown.largest("between")[shown.typical]),
    }
    for name, fit in fits.items():
        outside = fit.largest("outside")
        rows[f"{name}_outside_median"] = float(np.median(outside))
        rows[f"{name}_outside_smallest"] = float(outside.min())
        rows[f"{name}_outside_largest"] = float(outside.max())
    return rows
