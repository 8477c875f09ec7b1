"""The numbers that Figures 2 and 5 state, for the paper's d, c and L. No model is involved."""

from typing import get_args

import numpy as np

from position_interpolation.tasks.theory.bounds import (
    HEAD_DIM,
    PLOTTED,
    Floats,
    RandomFit,
    Region,
    Solver,
    audit,
    fit_random_scores,
    partial_sum_magnitude,
)


def random_fits() -> dict[Solver, RandomFit]:
    """Fit the same noise with every solver."""
    return {solver: fit_random_scores(solver) for solver in get_args(Solver)}


def figure_2_rows(fits: dict[Solver, RandomFit], solver: Solver = "normal_float32") -> dict[str, float]:
    """The numbers stated by Figure 2, each a largest |a(s)|.

    `plotted_inside`, `plotted_outside`, `plotted_between`: of the draw shown, on the fitted integers, on the
    integers of [L, 2L), and at fractions of a token. `<solver>_outside_median`, `_smallest`, `_largest`: on
    [L, 2L), over the draws of each solver.
    """
    shown = fits[solver]
    rows = {f"plotted_{region}": float(shown.largest(region)[shown.typical]) for region in get_args(Region)}
    for name, fit in fits.items():
        outside = fit.largest("outside")
        rows[f"{name}_outside_median"] = float(np.median(outside))
        rows[f"{name}_outside_smallest"] = float(outside.min())
        rows[f"{name}_outside_largest"] = float(outside.max())
    return rows


def bound_ratios() -> Floats:
    """B(s) / d at the spans of Figure 5, shape (4096,)."""
    return partial_sum_magnitude(np.arange(PLOTTED), HEAD_DIM) / HEAD_DIM


def figure_5_rows() -> dict[str, float]:
    """The numbers stated by Figure 5. Those of B(s) / d are fields of `Audit`, under the same names.

    `factor_printed`, `factor_corrected`: how many times the extrapolation bound of eq. 8 exceeds either interpolation
    bound, where B(s) / d is smallest.
    """
    found = audit(HEAD_DIM)
    least = 2 * found.smallest_ratio * HEAD_DIM
    return {
        "ratio_at_zero": float(bound_ratios()[0]),
        "smallest_ratio": found.smallest_ratio,
        "smallest_ratio_span": float(found.smallest_ratio_span),
        "share_below_one": found.share_below_one,
        "factor_printed": least / found.printed_bound,
        "factor_corrected": least / found.corrected_bound,
    }
