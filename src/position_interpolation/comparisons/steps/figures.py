"""Tuning steps drawn: perplexity, k_max and training loss against the steps of an extension's tuning."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.steps.tables import printed_after
from position_interpolation.display import drawing
from position_interpolation.evidence import extensions, paper, seeds, select
from position_interpolation.evidence.comparison import Effect, exact, recorded
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural


@drawing.styled
def perplexity_steps_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at the extension's own window over the base's at L, against steps (Table 3); below, the paper's.

    The axes span what is tuned; the untuned values, where the lines start, stand in the titles. Without a base at L
    perplexities are drawn, not ratios. The rows are one group of `select.perplexities` in which `extensions.families`
    finds some.
    """
    families = extensions.families(rows)
    ours = {family[-1]: _ratios(rows, family) for family in families}
    printed = {family[-1]: _printed_ratios(family[-1], rows[0].task) for family in families}
    named = {f"{families[0][0].base}, {rows[0].task}": ours, "The paper: LLaMA 7B, Table 3": printed}
    known = {title: lines for title, lines in named.items() if any(lines.values())}
    if not any(ours.values()):
        return _perplexity_by_steps(rows, families)
    figure, panels = drawing.panels(*[1.7] * len(known))
    called = {last: last.short_label for last in ours}
    for axes, (title, lines) in zip(panels, known.items(), strict=True):
        for last, curve in lines.items():
            drawing.line(axes, curve, last, called)
        tuned = [effect for curve in lines.values() for steps, effect in curve.items() if steps]
        drawing.ratio_axis(axes, tuned, "1: the base at L")
        starts = [f"{curve[0].value:.3g} ({called[last]})" for last, curve in lines.items() if 0 in curve]
        axes.set_title("\n".join([title, *([f"untuned: {', '.join(starts)}"] if starts else [])]))
    panels[-1].set_xlabel("tuning steps")
    effects = [effect for curve in ours.values() for effect in curve.values()]
    documents = select.counted(rows, "document")
    side = "perplexity at L' / the base's at L"
    drawing.finish(figure, f"{documents}, protocol token; {drawing.spread(effects, drawing.paired(ours))}", side)
    return figure


def _perplexity_by_steps(rows: Sequence[Record], families: Sequence[list[Extension]]) -> Figure:
    figure, (axes,) = drawing.panels(1.9)
    _draw(axes, rows, families, "perplexity", "token")
    drawing.perplexity_axis(axes, "perplexity at the own window L'")
    axes.set(title=f"{families[0][0].base}, {rows[0].task}", xlabel="tuning steps")
    documents = select.counted(rows, "document")
    drawing.finish(figure, f"{documents}, protocol token; bars: 95 % bootstrap over documents")
    return figure


@drawing.styled
def passkey_steps_figure(rows: Sequence[Record], rule: str) -> Figure:
    """k_max as a share of the extension's own window, against steps (Table 4); below, the paper's.

    The rows are one group of `rules.passkeys`, judged by `rule`, in which `extensions.families` finds some.
    """
    families = extensions.families(rows)
    printed = {family[-1]: _printed_shares(family[-1]) for family in families}
    titles = [families[0][0].base, *(["The paper: LLaMA 7B, Table 4"] if any(printed.values()) else [])]
    figure, panels = drawing.panels(*[1.7] * len(titles))
    panels[0].margins(x=0.08)  # room for lines that are moved apart
    _draw(panels[0], rows, families, "k_max", None)
    for axes in panels[1:]:
        for last, curve in printed.items():
            drawing.line(axes, curve, last, {item: item.short_label for item in printed})
    for axes, title in zip(panels, titles, strict=True):
        axes.set(title=title, xlim=panels[0].get_xlim(), ylim=(-0.05, 1.05))
        axes.yaxis.set_major_formatter(drawing.percent)
    panels[-1].set_xlabel("tuning steps")
    trials = select.trials([row for row in rows if row.metric == "success" and row.at is not None])
    drawing.finish(
        figure,
        f"{trials} at each distance, rule {rule}; bars: 95 %, over the rates that the trials leave possible",
        side="k_max / own window L'",
    )
    return figure


@drawing.styled
def curves_figure(rows: Sequence[Record]) -> Figure:
    """Training loss against step, one line per extension, of one group of `tuning_curve.page.curves`."""
    several = len({extension.model for extension in ordered(rows)}) > 1
    called = {item: item.short_label + (f" ({item.model})" if several else "") for item in ordered(rows)}
    figure, (axes,) = drawing.panels(2.1)
    for extension in called:
        curve = select.along(rows, extension, select.TRAINING_LOSS)
        drawing.line(axes, curve, extension, called, markevery=(0, max(1, len(curve) // 8)))
    axes.set(xlabel="tuning steps", ylabel="training loss (nats a token)")
    tokens = plural(max(record.n_tokens or 0 for record in rows), "token")
    drawing.finish(
        figure, f"each point the mean over the steps since the last; up to {tokens} of {rows[0].data.get('name')}"
    )
    return figure


def _draw(
    axes: Axes, rows: Sequence[Record], families: Sequence[list[Extension]], metric: str, protocol: str | None
) -> None:
    """One line per family through what was measured at its own window; k_max is drawn as a share of that window."""
    called = {family[-1]: family[-1].short_label for family in families}
    for family in families:
        found = [(item.steps, select.find(rows, item, metric, item.window, protocol)) for item in family]
        unit = 1.0 if metric == "perplexity" else 1 / family[-1].window
        curve = {steps: recorded(record).scaled(unit) for steps, record in found if record is not None}
        drawing.line(axes, curve, family[-1], called)


def _ratios(rows: Sequence[Record], family: Sequence[Extension]) -> dict[int, Effect]:
    """Perplexity at the own window over the base's at L, by steps."""
    found = {item.steps: seeds.over_base(rows, item, item.window) for item in family}
    return {steps: effect for steps, effect in found.items() if effect is not None}


def _printed_ratios(extension: Extension, task: str) -> dict[int, Effect]:
    base = paper.beside(extension.untouched, task, "perplexity", extension.base_window)
    points = _printed(extension, task, "perplexity") if base is not None else []
    return {steps: exact(value / base.value, base.experiment) for steps, value in points if base is not None}


def _printed_shares(last: Extension) -> dict[int, Effect]:
    """The paper's k_max over its window, up to as many steps as ours."""
    window = paper.window(last.window, last.base_window)
    points = _printed(last, "passkey", "k_max")
    return {steps: exact(longest / window, "Table 4") for steps, longest in points if steps <= last.steps}


def _printed(extension: Extension, task: str, metric: str) -> list[tuple[int, float]]:
    """(steps, number) pairs of Table 3 or 4."""
    found = ((count, printed_after(count, extension, task, metric)) for count in paper.step_counts())
    return [(count, number.value) for count, number in found if number is not None]
