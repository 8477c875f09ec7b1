"""Section 2 as records: what Figures 2 and 5 state, and the audit of the bounds by head dimension."""

from position_interpolation.evidence.intervals import Estimate
from position_interpolation.tasks.measurement import Measured
from position_interpolation.tasks.theory.bounds import EXTENDED, HEAD_DIM, HEAD_DIMS, PLOTTED, audit
from position_interpolation.tasks.theory.numbers import figure_2_rows, figure_5_rows, random_fits

DATA = {"name": "theory", "source": "generated", "sha256": None, "ids": None}


def measured() -> list[Measured]:
    """Every number of section 2."""
    stated = {**figure_2_rows(random_fits()), **figure_5_rows()}
    return [*(_number(metric, value) for metric, value in stated.items()), *audited()]


def audited() -> list[Measured]:
    """The audit: each number `at` its head dimension, over the spans of Figure 5 as its evaluation window.

    For the paper's d the smallest B(s) / d is also taken over all spans of the paper's longest window.
    """
    found = [
        _number(metric, value, row.head_dim, PLOTTED)
        for row in map(audit, HEAD_DIMS)
        for metric, value in vars(row).items()
        if metric != "head_dim"
    ]
    longest = audit(HEAD_DIM, spans=EXTENDED)
    for metric in ("smallest_ratio", "smallest_ratio_span"):
        found.append(_number(metric, getattr(longest, metric), HEAD_DIM, EXTENDED))
    return found


def _number(metric: str, value: float, head_dim: int | None = None, window: int | None = None) -> Measured:
    return Measured(metric, Estimate(float(value)), DATA, eval_window=window, at=head_dim)
