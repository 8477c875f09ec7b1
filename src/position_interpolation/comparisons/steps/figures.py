"""Tuning steps drawn: perplexity, k_max and training loss against the steps that an extension was tuned for."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from position_interpolation.comparisons.steps.tables import after, printed_after
from position_interpolation.display.colours import GREY
from position_interpolation.display.drawing import line, style, tick
from position_interpolation.evidence import paper, select, step_counts
from position_interpolation.evidence.extensions import Extension, method_label, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, rate_text
from position_interpolation.tasks.tuning_curve import page


def perplexity_steps_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at the extension's own window against steps (Table 3), with the base at L as a band.

    Args:
        rows: one group of `select.perplexities` in which `step_counts.families` finds some.
    """
    task = rows[0].task
    families = step_counts.families(rows)

    by_family = [(family[-1], _printed_points(family[-1], task, "perplexity")) for family in families]
    known = any(points for _, points in by_family)
    figure = Figure(figsize=(11, 4.8) if known else (7, 4.8), layout="constrained")
    ours, *theirs = figure.subplots(1, 2 if known else 1, squeeze=False)[0]
    _draw(ours, rows, families, "perplexity", "token")
    _draw_base(ours, rows)
    for axes in theirs:
        for last, points in by_family:
            if points:
                axes.plot(*zip(*points, strict=True), **style(last, [last]))
        axes.set_title("The paper: LLaMA 7B, Table 3")
    for axes in (ours, *theirs):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(tick))
        axes.yaxis.set_minor_formatter(FuncFormatter(tick))
        _step_axes(axes, "perplexity at the own window L'")
    ours.set_title(f"{families[0][0].model}, {task}")
    figure.legend(*ours.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    documents = max(record.n_documents or 0 for record in rows)
    _note(figure, f"{plural(documents, 'document')}, protocol token; bars: 95 % bootstrap over documents")
    return figure


def passkey_steps_figure(rows: Sequence[Record], rule: str) -> Figure:
    """k_max as a share of the own window against steps (Table 4); the paper's as thin dashed lines.

    Args:
        rows: one group of `rules.passkeys` in which `step_counts.families` finds some.
        rule: by which answers were judged.
    """
    families = step_counts.families(rows)
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    _draw(axes, rows, families, "k_max", None)

    farthest = max(extension.steps for family in families for extension in family)
    for family in families:
        window = paper.window(family[-1].window, family[-1].base_window)
        printed = _printed_points(family[-1], "passkey", "k_max")
        points = [(count, longest / window) for count, longest in printed if count <= farthest]
        if points:
            look = {**style(family[-1], [family[-1]]), "linestyle": "--", "linewidth": 0.8, "alpha": 0.5}
            axes.plot(*zip(*points, strict=True), **look)
    _step_axes(axes, "$k_{max}$ as a share of the own window L'")
    axes.yaxis.set_major_formatter(lambda value, _: rate_text(value).replace(".0", ""))
    axes.set_ylim(-0.03, 1.05)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    _note(
        figure,
        f"rule {rule}; bars: 95 %, over the rates that the trials leave possible; thin dashed: Table 4, same multiples "
        "of L",
    )
    return figure


def curves_figure(rows: Sequence[Record]) -> Figure:
    """Training loss against step, one line an extension.

    Args:
        rows: one group of `curves.curves`.
    """
    extensions = ordered(rows)
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    for extension in extensions:
        points = page.points(rows, extension)
        look = style(extension, extensions)
        label = method_label(extension) + (f" ({extension.model})" if len({e.model for e in extensions}) > 1 else "")
        every = max(1, len(points) // 8)
        axes.plot(*zip(*points, strict=True), label=label, markevery=every, **look)
    _step_axes(axes, "training loss (nats a token)")
    axes.legend(frameon=False)
    _note(figure, f"each point the mean over the steps since the last; text: {rows[0].data.get('name')}")
    return figure


def _draw(
    axes: Axes, rows: Sequence[Record], families: Sequence[list[Extension]], metric: str, protocol: str | None
) -> None:
    """One line a family through what was measured at its own window; k_max as a share of that window."""
    last = [family[-1] for family in families]
    for family in families:
        found = [select.find(rows, item, metric, item.window, protocol) for item in family]
        own = [
            record if metric == "perplexity" else page.scaled(record, 1 / family[-1].window)
            for record in found
            if record
        ]
        places = [item.steps for item, record in zip(family, found, strict=True) if record]
        line(axes, own, places, family[-1], last, method_label(family[-1]))


def _draw_base(axes: Axes, rows: Sequence[Record]) -> None:
    """The base at its own window: what tuning has to win back."""
    for base in [item for item in ordered(rows) if item.method == "none"]:
        inside = select.find(rows, base, "perplexity", base.window, "token")
        if inside is not None:
            axes.axhline(inside.value, color=GREY, linestyle="--", linewidth=1, label=f"{base.label}, at L")
            if inside.ci_low is not None and inside.ci_high is not None:
                axes.axhspan(inside.ci_low, inside.ci_high, color=GREY, alpha=0.15, linewidth=0)


def _printed_points(extension: Extension, task: str, metric: str) -> list[tuple[int, float]]:
    """(steps, number) of Table 3 or 4."""
    found = ((count, printed_after(after(extension, count), task, metric)) for count in paper.step_counts())
    return [(count, number.value) for count, number in found if number is not None]


def _step_axes(axes: Axes, label: str) -> None:
    axes.set_xlabel("tuning steps")
    axes.set_ylabel(label)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _note(figure: Figure, text: str) -> None:
    figure.suptitle(text, fontsize="small", color="0.35")
