"""When PI's advantage appears: its perplexity over extrapolation's, and k_max, against the base's training tokens."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.base_tokens import pairs, tables
from position_interpolation.display import drawing, sideways
from position_interpolation.display.colours import colour, style
from position_interpolation.evidence import select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record

RIVALS = {True: "extrapolation tuned as long", False: "the base"}


@drawing.styled
def perplexity_figure(rows: Sequence[Record]) -> Figure:
    """PI's perplexity at L': tuned over that of extrapolation tuned as long, untuned over the base's.

    The rows are one group of `select.stopped` in which `ratios` finds some.
    """
    found = ratios(rows)
    kinds = [tuned for tuned in (True, False) if any(bool(ours.steps) == tuned for ours in found)]
    figure, panels = drawing.panels(*[1.5] * len(kinds))
    called = {ours: ours.label for ours in found}
    for axes, tuned in zip(panels, kinds, strict=True):
        for ours, curve in found.items():
            if bool(ours.steps) == tuned:
                drawing.line(axes, curve, ours, called)
        drawing.ratio_axis(axes, name="1: no difference")
        axes.set_title(f"PI over {RIVALS[tuned]}")
        _token_axis(axes, rows)
    panels[-1].set_xlabel("training tokens of the base")
    window, seeds = tables.compared_window(rows), len(tables.seeds(rows))
    bars = "bars: 95 %, paired by document, reaching over single seeds"
    drawing.finish(
        figure,
        f"{rows[0].model}: perplexity at a window of {window}, {select.counted(rows, 'document')}, mean of {seeds} "
        f"seeds; {drawing.spread([effect for curve in found.values() for effect in curve.values()], bars)}",
        side="ratio of perplexities",
    )
    return figure


def ratios(rows: Sequence[Record]) -> Mapping[Extension, Mapping[int, Effect]]:
    """Ratios of perplexities by treatment, then by training tokens of the base."""
    found = {
        ours: {base.tokens: pairs.ratio(rows, base, ours, other) for base in tables.bases(rows)}
        for ours, other in pairs.pairs(rows)
    }
    known = {ours: {at: one for at, one in curve.items() if one is not None} for ours, curve in found.items()}
    return {ours: curve for ours, curve in known.items() if curve}


@drawing.styled
def k_max_figure(rows: Sequence[Record]) -> Figure:
    """One line per treatment through the means over seeds, one small point per seed, of passkey records by one rule."""
    window = tables.compared_window(rows)
    figure, (axes,) = drawing.panels(2.1)
    for treatment in tables.treatments(rows):
        _draw(axes, rows, treatment, window)
    _token_axis(axes, rows)
    axes.set(xlabel="training tokens of the base", ylabel="k_max (tokens)")
    drawing.finish(
        figure,
        f"{rows[0].model} in prompts of {window}, {select.counted(rows, 'trial')}, rule {rows[0].protocol}; "
        "lines through means over seeds, points single seeds",
    )
    return figure


def _draw(axes: Axes, rows: Sequence[Record], treatment: Extension, window: int) -> None:
    among = tables.treatments(rows)
    means: list[tuple[float, float]] = []
    name = "none" if treatment.method == "none" else treatment.label
    with sideways.together(axes, name):
        for base in tables.bases(rows):
            found = tables.by_seed(rows, tables.extension(base, treatment), "k_max", window)
            if values := [record.value for record in found.values()]:
                axes.plot([base.tokens] * len(values), values, ".", color=colour(treatment, among), alpha=0.5)
                means.append((base.tokens, fmean(values)))
        if means:
            axes.plot(*zip(*means, strict=True), label=name, **style(treatment, among))


def _token_axis(axes: Axes, rows: Sequence[Record]) -> None:
    tokens = [base.tokens for base in tables.bases(rows)]
    drawing.log_ticks(axes, tokens, [f"{count / 1e6:.3g} M" for count in tokens])
