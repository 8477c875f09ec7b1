"""The numbers that Figures 2 and 5 state, for the paper's d, c and L. No model is involved."""

from typing import get_args

import numpy as np

from position_interpolation.tasks.theory.bounds import (
    HEAD_DIM,
    PLOTTED,
    Floats,
    RandomFit,
    Solver,
    corrected_curvature,
    fit_random_scores,
    grid_bound,
    partial_sum_magnitude,
    printed_curvature,
)


def figure_2_rows(solver: Solver = "normal_float32") -> dict[str, float]:
    """Return the numbers stated by Figure 2, each a largest |a(s)|.

    `plotted_inside`, `plotted_outside`, `plotted_between`: of the draw shown, on the fitted integers, on the
    integers of [L, 2L), and at fractions of a token. `<solver>_outside_median`, `_smallest`, `_largest`: on
    [L, 2L), over the draws of each solver.
    """
    return random_fit_rows(solver, random_fits())


def figure_5_rows() -> dict[str, float]:
    """Return the numbers stated by Figure 5.

    `ratio_at_zero`, `smallest_ratio`: of B(s) / d; `smallest_ratio_span`: where, in tokens;
    `share_below_one`: the fraction of spans with B(s) / d < 1; `factor_printed`, `factor_corrected`: how many
    times the extrapolation bound of eq. 8 exceeds either interpolation bound, at the minimum.
    """
    ratio = bound_ratios()
    smallest = float(ratio.min())
    return {
        "ratio_at_zero": float(ratio[0]),
        "smallest_ratio": smallest,
        "smallest_ratio_span": float(ratio.argmin()),
        "share_below_one": float((ratio < 1).mean()),
        "factor_printed": 2 * smallest * HEAD_DIM / grid_bound(printed_curvature(HEAD_DIM)),
        "factor_corrected": 2 * smallest * HEAD_DIM / grid_bound(corrected_curvature(HEAD_DIM)),
    }


def bound_ratios() -> Floats:
    """B(s) / d at the spans of Figure 5, shape (4096,)."""
    return partial_sum_magnitude(np.arange(PLOTTED), HEAD_DIM) / HEAD_DIM


def random_fits() -> dict[Solver, RandomFit]:
    """Fit the same noise with every solver."""
    return {solver: fit_random_scores(solver) for solver in get_args(Solver)}


def random_fit_rows(solver: Solver, fits: dict[Solver, RandomFit]) -> dict[str, float]:
    """The numbers of the draw that is shown, and the height that each solver reaches outside, over all draws."""
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
