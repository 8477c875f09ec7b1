"""When PI's advantage appears: its perplexity over extrapolation's, and k_max, against the base's training tokens."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.base_tokens import pairs, tables
from position_interpolation.comparisons.base_tokens.tables import Treatment
from position_interpolation.display import drawing
from position_interpolation.display.colours import colour, style
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.records import Record

RIVALS = {True: "extrapolation tuned as long", False: "the base"}


@drawing.styled
def perplexity_figure(rows: Sequence[Record]) -> Figure:
    """PI's perplexity at L' over that of extrapolation tuned as long, and untuned over the base's: a line each.

    The rows are one group of `select.stopped` in which `ratios` finds some.
    """
    found = ratios(rows)
    kinds = [tuned for tuned in (True, False) if any(bool(ours.steps) == tuned for ours in found)]
    figure, panels = drawing.panels(*[1.5] * len(kinds))
    first = tables.bases(rows)[0]
    called = {item: item.label for item in (tables.extension(first, ours) for ours in found)}
    for axes, tuned in zip(panels, kinds, strict=True):
        for ours, curve in found.items():
            if bool(ours.steps) == tuned:
                drawing.line(axes, curve, tables.extension(first, ours), called)
        drawing.ratio_axis(axes, name="1: no difference")
        axes.set_title(f"PI over {RIVALS[tuned]}")
        _token_axis(axes, rows)
    panels[-1].set_xlabel("training tokens of the base")
    figure.supylabel("ratio of perplexities", fontsize="medium")
    window, seeds = tables.compared_window(rows), len(tables.seeds(rows))
    bars = "bars: 95 %, paired by document, reaching over single seeds"
    drawing.finish(
        figure,
        f"{rows[0].model}: perplexity at a window of {window}, {drawing.count(rows, 'document')}, mean of {seeds} "
        f"seeds; {drawing.spread([effect for curve in found.values() for effect in curve.values()], bars)}",
    )
    return figure


def ratios(rows: Sequence[Record]) -> Mapping[Treatment, Mapping[int, Effect]]:
    """By what is done to a base, then by its training tokens."""
    found = {
        ours: {base.tokens: pairs.ratio(rows, base, ours, other) for base in tables.bases(rows)}
        for ours, other in pairs.pairs(rows)
    }
    known = {ours: {at: one for at, one in curve.items() if one is not None} for ours, curve in found.items()}
    return {ours: curve for ours, curve in known.items() if curve}


@drawing.styled
def k_max_figure(rows: Sequence[Record]) -> Figure:
    """One line a treatment through the means over seeds, one small point a seed; of passkey records by one rule."""
    window = tables.compared_window(rows)
    figure, (axes,) = drawing.panels(2.1)
    for treatment in tables.treatments(rows):
        _draw(axes, rows, treatment, window)
    _token_axis(axes, rows)
    axes.set(xlabel="training tokens of the base", ylabel="k_max (tokens)")
    drawing.finish(
        figure,
        f"{rows[0].model} in prompts of {window}, {drawing.count(rows, 'trial')}, rule {rows[0].protocol}; "
        "lines through means over seeds, points single seeds",
    )
    return figure


def _draw(axes: Axes, rows: Sequence[Record], treatment: Treatment, window: int) -> None:
    bases = tables.bases(rows)
    alike = [tables.extension(bases[0], other) for other in tables.treatments(rows)]
    this = tables.extension(bases[0], treatment)
    means: list[tuple[float, float]] = []
    for base in bases:
        item = tables.extension(base, treatment)
        values = [record.value for record in tables.by_seed(rows, item, "k_max", window).values()]
        if values:
            axes.plot([base.tokens] * len(values), values, ".", color=colour(this, alike), alpha=0.5)
            means.append((base.tokens, fmean(values)))
    if means:
        axes.plot(
            *zip(*means, strict=True), label="none" if this.method == "none" else this.label, **style(this, alike)
        )


def _token_axis(axes: Axes, rows: Sequence[Record]) -> None:
    tokens = [base.tokens for base in tables.bases(rows)]
    drawing.log_ticks(axes, tokens, [f"{count / 1e6:g} M" for count in tokens])
