"""Figures 1, 2 and 5 of the paper, which need no model."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import BLUE, GREEN, GREY, VERMILION
from position_interpolation.evidence.words import rate_text
from position_interpolation.tasks.theory.bounds import BASE, BETWEEN_SPANS, HEAD_DIM, WINDOW, Solver, frequencies
from position_interpolation.tasks.theory.numbers import bound_ratios, figure_2_rows, figure_5_rows, random_fits

SOLVER_NAMES: dict[Solver, str] = {
    "normal_float32": "float32 normal equations",
    "normal_float64": "float64 normal equations",
    "svd": "SVD cut at 1e-7",
    "ridge": "float64 ridge of 1",
}


@drawing.styled
def figure_1() -> Figure:
    """Draw Fig. 1: where a text of twice the window puts its position indices. An illustration: nothing is measured.

    Rows: the window as trained, extrapolation, Position Interpolation. Left: the whole text, each dot on the cosine of
    one slowly turning pair; right: every index around the end of the window.
    """
    figure = Figure(figsize=(drawing.WIDTH, 3.2))
    rows = figure.subplots(3, 2, width_ratios=[2, 1], sharey=True)
    theta = frequencies(HEAD_DIM)
    slow = theta[np.abs(2 * np.pi / theta - 2.5 * WINDOW).argmin()]  # does not finish a turn inside the window
    step = WINDOW // 32 - 1  # odd, or every dot of the third row would fall on an integer
    titles = ("Trained: 0 .. L - 1", "Extrapolation: 0 .. 2L - 1", "Position Interpolation: m L / L'")
    tokens = np.arange(2 * WINDOW)
    for (whole, close), title, indices in zip(rows, titles, (tokens[:WINDOW], tokens, tokens / 2), strict=True):
        for axes, shown in ((whole, slice(0, None, step)), (close, np.abs(indices - WINDOW) <= 4.5)):
            axes.plot(tokens, np.cos(slow * tokens), color=GREY, label="cosine of one slowly turning pair", zorder=0)
            _indices(axes, indices[shown], slow)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        whole.set(title=title, xlim=(-WINDOW / 50, 2.02 * WINDOW), xticks=[0, WINDOW, 2 * WINDOW])
        close.set(xlim=(WINDOW - 5, WINDOW + 5), xticks=[WINDOW - 4, WINDOW, WINDOW + 4])
    for axes, label in zip(rows[-1], ("position index (tokens)", "index (tokens)"), strict=True):
        axes.set_xlabel(label)
    return drawing.finish(
        figure, f"Left: one index in {step}; right: every index around the end of the window, L = {WINDOW}"
    )


def _indices(axes: Axes, indices: np.ndarray, slow: float) -> None:
    """Marks on the cosine, and where the window ends."""
    unseen, between = indices >= WINDOW, (indices % 1 != 0) & (indices < WINDOW)
    kinds = (
        (~(unseen | between), BLUE, "o", "trained index"),
        (unseen, VERMILION, "s", "unseen index"),
        (between, GREEN, "d", "between two trained indices"),
    )
    for own, colour, marker, name in kinds:
        heights, fill = np.cos(slow * indices[own]), "none" if own is between else "full"
        axes.plot(indices[own], heights, marker, color=colour, markersize=3, fillstyle=fill, label=name)
    axes.axvline(WINDOW - 0.25, color=VERMILION, linestyle="--", linewidth=1, label="end of the window")


@drawing.styled
def figure_2(solver: Solver = "normal_float32") -> Figure:
    """Draw Fig. 2: a score function fitted to noise, extrapolated, and interpolated.

    The panels show the draw of median height outside the window, under `solver` (the paper's by default); the
    caption gives the heights over all draws and solvers.
    """
    fits = random_fits()
    rows = figure_2_rows(fits, solver)
    fit, draw = fits[solver], fits[solver].typical
    scores = fit.extrapolated[draw]
    figure, (fitted, extrapolated, interpolated) = drawing.panels(1.5, 1.5, 1.5)

    fitted.plot(fit.targets[draw], ".", color=GREY, markersize=1.5, label="targets: standard normal noise")
    fitted.plot(scores[:WINDOW], color=BLUE, label="least-squares fit a(s)")
    fitted.set_title(f"Fitted on 0 ≤ s < {WINDOW}: |a| ≤ {_rounded(rows['plotted_inside'])}")

    extrapolated.plot(scores, color=BLUE)
    extrapolated.axvline(WINDOW, color=VERMILION, linestyle="--", label=f"end of the window, s = {WINDOW}")
    extrapolated.set_title(f"Extrapolated to s < {2 * WINDOW}: |a| ≤ {_rounded(rows['plotted_outside'])}")

    whole = BETWEEN_SPANS % 1 == 0
    interpolated.plot(BETWEEN_SPANS, fit.between[draw], color=BLUE)
    interpolated.plot(BETWEEN_SPANS[whole], fit.between[draw][whole], "o", ms=2, color=VERMILION, label="integer s")
    interpolated.set_title(f"Interpolated, s in steps of 0.125: |a| ≤ {_rounded(rows['plotted_between'])}")

    for axes in figure.axes:
        axes.set(xlabel="span s (tokens)", ylabel="score a(s) (no unit)")
    heights = "; ".join(
        f"{label}: {_rounded(rows[f'{name}_outside_median'])} "
        f"({_rounded(rows[f'{name}_outside_smallest'])} to {_rounded(rows[f'{name}_outside_largest'])})"
        for name, label in SOLVER_NAMES.items()
    )
    return drawing.finish(
        figure,
        f"Basis sin(s θ), cos(s θ): head dimension {HEAD_DIM}, base {BASE:g}. Shown: {SOLVER_NAMES[solver]}, "
        f"the draw of median height among {len(fit.targets)} (draw {draw}, seed 0). "
        f"The height of max |a| outside the window belongs to the arithmetic. Its median (range): {heights}.",
    )


@drawing.styled
def figure_5() -> Figure:
    """Draw Fig. 5: B(s) / d with its minimum, and what it makes of the factor of 600."""
    rows = figure_5_rows()
    span, ratio = rows["smallest_ratio_span"], rows["smallest_ratio"]
    figure, (axes,) = drawing.panels(1.9)
    axes.plot(bound_ratios(), color=BLUE, linewidth=0.6)
    axes.axhline(1, color=VERMILION, linestyle="--", label="B(s) / d = 1: the least that the factor of 600 allows")
    axes.plot(span, ratio, "o", color=VERMILION, label=f"minimum {ratio:.4f} at s = {span:.0f}")
    axes.set_ylim(bottom=0)
    axes.set(xlabel="span s (tokens)", ylabel="B(s) / head dimension d (no unit)")
    axes.set_title(f"Extrapolation bound over d = {HEAD_DIM}, base {BASE:g}")
    return drawing.finish(
        figure,
        f"B(0) / d = {rows['ratio_at_zero']:g}; B(s) / d < 1 on {rate_text(rows['share_below_one'])} of the spans. "
        f"At the minimum the extrapolation bound 2 B(s) max|h| is {rows['factor_printed']:.0f} times the "
        f"interpolation bound as printed (eq. 7), {rows['factor_corrected']:.0f} times the corrected one.",
    )


def _rounded(score: float) -> str:
    """A positive score for readers, whether it is near one or in the millions."""
    return f"{score / 1e6:,.1f} million" if score >= 1e6 else f"{score:,.{0 if score >= 100 else 2}f}"
