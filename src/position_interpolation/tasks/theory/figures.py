"""Figures 1, 2 and 5 of the paper, which need no model.

Figures are plain `matplotlib.figure.Figure` objects: nothing is shown, saved or kept in global state.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from position_interpolation.tasks.theory.bounds import BASE, BETWEEN_SPANS, Solver, frequencies, partial_sum_magnitude
from position_interpolation.tasks.theory.numbers import figure_5_rows, random_fit_rows, random_fits

# From Okabe and Ito's palette, distinguishable with colour blindness.
GREY, BLUE, VERMILION, GREEN = "#999999", "#0072B2", "#D55E00", "#009E73"

SOLVER_NAMES: dict[Solver, str] = {
    "normal_float32": "float32 normal equations",
    "normal_float64": "float64 normal equations",
    "svd": "SVD cut at 1e-7",
    "ridge": "float64 ridge of 1",
}


def figure_1(window: int = 2048, *, head_dim: int = 128, base: float = BASE) -> Figure:
    """Draw Fig. 1: where a text of twice the window puts its position indices; an illustration, nothing is measured.

    Rows: the window as trained, extrapolation, Position Interpolation. Left: the whole text, each dot on the cosine of
    one slowly turning pair; right: around the end of the window, every index drawn.
    """
    figure = Figure(figsize=(12, 6), layout="constrained")
    rows = figure.subplots(3, 2, width_ratios=[2, 1], sharey=True)
    theta = frequencies(head_dim, base)
    slow = theta[np.abs(2 * np.pi / theta - 2.5 * window).argmin()]  # does not finish a turn inside the window
    step = window // 32 - 1  # odd, or every dot drawn of the third row would fall on an integer
    titles = ("Trained: indices 0 .. L - 1", "Extrapolation: indices 0 .. 2L - 1", "Position Interpolation: m L / L'")
    tokens = np.arange(2 * window)
    for (whole, close), title, indices in zip(rows, titles, (tokens[:window], tokens, tokens / 2), strict=True):
        colours = np.where(indices >= window, VERMILION, np.where(indices % 1 == 0, BLUE, GREEN))
        for axes, shown in ((whole, slice(0, None, step)), (close, np.abs(indices - window) <= 4.5)):
            axes.plot(tokens, np.cos(slow * tokens), color=GREY, linewidth=0.8, zorder=0)
            axes.scatter(indices[shown], np.cos(slow * indices[shown]), s=16, c=colours[shown])
            axes.axvline(window - 0.25, color=VERMILION, linestyle="--", linewidth=1)
            axes.set_yticks([])
            axes.spines[["top", "right", "left"]].set_visible(False)
        whole.set_title(f"{title}; one in {step} drawn", loc="left", fontsize="medium")
        whole.set_xlim(-window / 50, 2.02 * window)
        whole.set_xticks([0, window // 2, window, 3 * window // 2, 2 * window])
        close.set_xlim(window - 5, window + 5)
        close.set_xticks(np.arange(window - 4, window + 5, 2))
    rows[0, 1].set_title("around the end of the window, every index", loc="left", fontsize="medium")
    for axes in rows[-1]:
        axes.set_xlabel("position index (tokens)")
    meanings = {BLUE: "trained index", VERMILION: "unseen index", GREEN: "between two trained indices"}
    handles = [Line2D([], [], marker="o", linestyle="", color=colour, label=name) for colour, name in meanings.items()]
    handles.append(Line2D([], [], color=GREY, label="cosine of one slowly turning pair"))
    handles.append(Line2D([], [], color=VERMILION, linestyle="--", label=f"end of the window, L = {window}"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure


def figure_2(
    solver: Solver = "normal_float32",
    *,
    head_dim: int = 128,
    window: int = 2048,
    base: float = BASE,
    seed: int = 0,
    draws: int = 101,
) -> Figure:
    """Draw Fig. 2: a score function fitted to noise, extrapolated, and interpolated.

    The panels show the draw of median height outside the window, under `solver` (the paper's by default); the
    caption gives the heights over all draws and solvers. Raises as `theory.fit_random_scores`.
    """
    fits = random_fits(head_dim, window, base, seed, draws)
    rows = random_fit_rows(solver, fits)
    fit, draw = fits[solver], fits[solver].typical
    scores = fit.extrapolated[draw]
    inside, everywhere = np.arange(window), np.arange(2 * window)

    figure = Figure(figsize=(16, 5), layout="constrained")
    fitted, extrapolated, interpolated = figure.subplots(1, 3)

    fitted.plot(inside, fit.targets[draw], ".", color=GREY, markersize=2, label="targets: standard normal noise")
    fitted.plot(inside, scores[:window], color=BLUE, label="least-squares fit a(s)")
    fitted.set_title(f"Fitted on 0 ≤ s < {window}: |a| ≤ {_rounded(rows['plotted_inside'])}")
    fitted.legend(loc="upper right", fontsize="small")

    extrapolated.plot(everywhere, scores, color=BLUE)
    extrapolated.axvline(window, color=VERMILION, linestyle="--", label=f"end of the window, s = {window}")
    extrapolated.set_title(f"Extrapolated to s < {2 * window}: |a| ≤ {_rounded(rows['plotted_outside'])}")
    extrapolated.legend(loc="upper left", fontsize="small")

    whole = BETWEEN_SPANS[BETWEEN_SPANS % 1 == 0]
    interpolated.vlines(
        whole, 0, 1, transform=interpolated.get_xaxis_transform(), color=GREY, linestyle="--", linewidth=0.5
    )
    interpolated.plot(BETWEEN_SPANS, fit.between[draw], color=BLUE, label="a(s), s in steps of 0.125")
    interpolated.plot(whole, fit.between[draw][BETWEEN_SPANS % 1 == 0], ".", color=VERMILION, label="integer s")
    interpolated.set_title(f"Interpolated between integers: |a| ≤ {_rounded(rows['plotted_between'])}")
    interpolated.legend(loc="lower right", fontsize="small")

    for axes in (fitted, extrapolated, interpolated):
        axes.set_xlabel("span s (tokens)")
        axes.set_ylabel("attention score a(s) (no unit)")
    heights = "; ".join(
        f"{label}: {_rounded(rows[f'{name}_outside_median'])} "
        f"({_rounded(rows[f'{name}_outside_smallest'])} to {_rounded(rows[f'{name}_outside_largest'])})"
        for name, label in SOLVER_NAMES.items()
    )
    figure.supxlabel(
        f"Basis sin(s θ), cos(s θ): head dimension {head_dim}, base {base:g}. Shown: {SOLVER_NAMES[solver]}, "
        f"the draw of median height among {draws} (draw {draw}, seed {seed}).\n"
        f"The height of max |a| outside the window belongs to the arithmetic. Its median (range): {heights}.",
        fontsize="small",
    )
    return figure


def figure_5(head_dim: int = 128, *, base: float = BASE, spans: int = 4096) -> Figure:
    """Draw Fig. 5: B(s) / d on s = 0 .. `spans` - 1, with its minimum and what it makes of the factor of 600.

    Raises ValueError as `theory.frequencies`.
    """
    rows = figure_5_rows(head_dim, base=base, spans=spans)
    span, ratio = rows["smallest_ratio_span"], rows["smallest_ratio"]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot(partial_sum_magnitude(np.arange(spans), head_dim, base) / head_dim, color=BLUE, linewidth=0.8)
    axes.axhline(1, color=VERMILION, linestyle="--", label="B(s) / d = 1: the least that the factor of 600 allows")
    axes.plot(span, ratio, "o", color=VERMILION)
    axes.annotate(
        f"minimum {ratio:.4f} at s = {span:.0f}",
        (span, ratio),
        xytext=(0.55, 0.65),
        textcoords="axes fraction",
        arrowprops={"arrowstyle": "->"},
    )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("span s (tokens)")
    axes.set_ylabel("B(s) / d (no unit)")
    axes.set_title(f"Extrapolation bound over head dimension d = {head_dim}, base {base:g}")
    axes.legend(loc="upper right")
    figure.supxlabel(
        f"B(0) / d = {rows['ratio_at_zero']:g}; B(s) / d < 1 on {rows['share_below_one']:.1%} of the spans.\n"
        f"At the minimum the extrapolation bound 2 B(s) max|h| is {rows['factor_printed']:.0f} times the "
        f"interpolation bound as printed (eq. 7), {rows['factor_corrected']:.0f} times the corrected one.",
        fontsize="small",
    )
    return figure


def _rounded(score: float) -> str:
    """Write a positive score for readers, whether it is near one or in the millions."""
    return f"{score / 1e6:,.1f} million" if score >= 1e6 else f"{score:,.{0 if score >= 100 else 2}f}"
