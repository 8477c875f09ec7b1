"""Tuning steps drawn: perplexity, k_max and training loss against the steps that an extension was tuned for."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.steps.tables import after, printed_after
from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY, style
from position_interpolation.evidence import paper, select, step_counts
from position_interpolation.evidence.extensions import Extension, method_label, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.tuning_curve import page


@drawing.styled
def perplexity_steps_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at the extension's own window against steps (Table 3), with the base at L as a band.

    The rows are one group of `select.perplexities` in which `step_counts.families` finds some.
    """
    families = step_counts.families(rows)
    printed = {family[-1]: _printed(family[-1], rows[0].task, "perplexity") for family in families}
    known = {last: points for last, points in printed.items() if points}
    figure, (ours, *theirs) = drawing.panels(*(2.4, 2.4) if known else (2.4,))
    _draw(ours, rows, families, "perplexity", "token")
    _draw_base(ours, rows)
    ours.set_title(f"{families[0][0].model}, {rows[0].task}")
    for axes in theirs:
        for last, points in known.items():
            axes.plot(*zip(*points, strict=True), **style(last, [last]))
        axes.set_title("The paper: LLaMA 7B, Table 3")
    for axes in figure.axes:
        drawing.perplexity_axis(axes, "perplexity at the own window L'")
        axes.set_xlabel("tuning steps")
    documents = drawing.count(rows, "document")
    drawing.finish(figure, f"{documents}, protocol token; bars: 95 % bootstrap over documents")
    return figure


@drawing.styled
def passkey_steps_figure(rows: Sequence[Record], rule: str) -> Figure:
    """k_max as a share of the own window against steps (Table 4); the paper's as pale lines.

    The rows are one group of `rules.passkeys`, judged by `rule`, in which `step_counts.families` finds some.
    """
    families = step_counts.families(rows)
    figure, (axes,) = drawing.panels(2.6)
    _draw(axes, rows, families, "k_max", None)
    farthest = max(extension.steps for family in families for extension in family)
    for last in (family[-1] for family in families):
        window = paper.window(last.window, last.base_window)
        printed = _printed(last, "passkey", "k_max")
        points = [(count, longest / window) for count, longest in printed if count <= farthest]
        if points:
            axes.plot(*zip(*points, strict=True), **style(last, [last]), linewidth=0.8, alpha=0.4)
    axes.set(xlabel="tuning steps", ylabel="k_max as a share of the own window L'", ylim=(-0.03, 1.05))
    axes.yaxis.set_major_formatter(drawing.percent)
    drawing.finish(
        figure,
        f"rule {rule}; bars: 95 %, over the rates that the trials leave possible; pale: Table 4, same multiples of L",
    )
    return figure


@drawing.styled
def curves_figure(rows: Sequence[Record]) -> Figure:
    """One group of `tuning_curve.page.curves`: training loss against step, one line an extension."""
    several = len({extension.model for extension in ordered(rows)}) > 1
    called = {item: method_label(item) + (f" ({item.model})" if several else "") for item in ordered(rows)}
    figure, (axes,) = drawing.panels(2.6)
    for extension in called:
        curve = select.along(rows, extension, select.TRAINING_LOSS)
        drawing.line(axes, curve, extension, called, markevery=max(1, len(curve) // 8))
    axes.set(xlabel="tuning steps", ylabel="training loss (nats a token)")
    drawing.finish(figure, f"each point the mean over the steps since the last; text: {rows[0].data.get('name')}")
    return figure


def _draw(
    axes: Axes, rows: Sequence[Record], families: Sequence[list[Extension]], metric: str, protocol: str | None
) -> None:
    """One line a family through what was measured at its own window; k_max as a share of that window."""
    called = {family[-1]: method_label(family[-1]) for family in families}
    for family in families:
        found = [(item.steps, select.find(rows, item, metric, item.window, protocol)) for item in family]
        unit = 1.0 if metric == "perplexity" else 1 / family[-1].window
        curve = {steps: page.scaled(record, unit) for steps, record in found if record is not None}
        drawing.line(axes, curve, family[-1], called, rows)


def _draw_base(axes: Axes, rows: Sequence[Record]) -> None:
    """The base at its own window: what tuning has to win back."""
    for base in [item for item in ordered(rows) if item.method == "none"]:
        inside = select.find(rows, base, "perplexity", base.window, "token")
        if inside is not None:
            axes.axhline(inside.value, color=GREY, linestyle="--", label=f"{base.label}, at L")
            if inside.ci_low is not None and inside.ci_high is not None:
                axes.axhspan(inside.ci_low, inside.ci_high, color=GREY, alpha=0.15, linewidth=0)


def _printed(extension: Extension, task: str, metric: str) -> list[tuple[int, float]]:
    """(steps, number) of Table 3 or 4."""
    found = ((count, printed_after(after(extension, count), task, metric)) for count in paper.step_counts())
    return [(count, number.value) for count, number in found if number is not None]
