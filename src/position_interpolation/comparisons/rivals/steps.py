"""What tuning brings to each method: perplexity and keys found against its steps."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from position_interpolation.comparisons.rivals import tables
from position_interpolation.comparisons.rivals.tables import Compared
from position_interpolation.display import drawing, sideways
from position_interpolation.display.colours import style
from position_interpolation.evidence import extensions, seeds, select
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record

Lines = dict[Extension, dict[int, drawing.Point]]  # by steps; a method is named by its longest tuned extension
Measure = Callable[[Compared], drawing.Point | None]


@drawing.styled
def steps_figure(rows: Sequence[Record], keys: Sequence[Record]) -> Figure:
    """Perplexity at L' and at L over the base's at L and, where they were asked for, keys found; one line per method.

    The rows are one group of `select.perplexities`, of every seed and of one factor; the keys are judged by one rule.
    """
    near, far = tables.ends(rows)
    measures: dict[str, Measure] = {
        f"perplexity {far}\n/ the base's {near}": lambda one: one.ratio(one.reach),
        f"perplexity {near}\n/ the base's {near}": lambda one: one.ratio(one.base_window),
        "keys found\nin prompts of L'": lambda one: one.passkey("success"),
    }
    found = {name: lines(rows, keys, measure) for name, measure in measures.items()}
    shown = {name: curves for name, curves in found.items() if curves}
    figure, panels = drawing.panels(*[1.6] * len(shown))
    for axes, (name, curves) in zip(panels, shown.items(), strict=True):
        called = {item: item.short_label for item in curves}
        for item, curve in curves.items():
            drawing.line(axes, curve, item, called)
            if 0 in curve:  # hollow, as what is untuned is everywhere
                with sideways.together(axes, called[item]):
                    axes.plot(0, curve[0].value, **style(item.untuned, [item]))
        if name.startswith("keys"):
            axes.set_ylim(-0.05, 1.05)
            axes.yaxis.set_major_formatter(drawing.percent)
        else:
            drawing.ratio_axis(axes, name=f"1: the base {near}")
        axes.set_ylabel(name)
        drawing.step_ticks(axes, {steps for curve in curves.values() for steps in curve})
    panels[-1].set_xlabel("tuning steps")
    ratios = next(iter(shown.values()))
    effects = [point for curve in ratios.values() for point in curve.values()]
    asked = seeds.pooled([row for row in keys if (row.metric, row.at) == ("success", None)])
    trials = f"; {select.trials(asked)} of each passkey rate" if len(shown) == len(measures) else ""
    return drawing.finish(
        figure,
        f"{next(iter(ratios)).base}, s = {next(iter(ratios)).factor:g}: {select.counted(rows, 'document')} "
        f"({rows[0].data.get('source')} text){trials}; {drawing.spread(effects, drawing.paired(ratios))}",
    )


def lines(rows: Sequence[Record], keys: Sequence[Record], measure: Measure) -> Lines:
    """One measure of every method that was tuned for several step counts; untuned, extrapolation is the base itself."""
    found: Lines = {}
    known = {(one.extension, one.reach): one for one in tables.compared(rows, keys)}
    for family in extensions.families(rows):
        last = family[-1]
        members = [last.untouched, *family] if last.method == "extrapolation" and not last.control else family
        points = {item.steps: measure(known[item, last.window]) for item in members if (item, last.window) in known}
        curve = {steps: point for steps, point in points.items() if point is not None}
        if len(curve) > 1:
            found[last] = curve
    return found
