"""When PI's advantage appears: perplexity and k_max against the training tokens of the base."""

import math
from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from position_interpolation.comparisons.base_tokens import tables
from position_interpolation.comparisons.base_tokens.tables import Treatment
from position_interpolation.display.colours import colour
from position_interpolation.display.drawing import style, tick
from position_interpolation.evidence import variants
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural


def base_tokens_figure(rows: Sequence[Record], metric: str = "perplexity") -> Figure:
    """One line a treatment through the means over seeds, one small point a seed.

    Args:
        rows: one group of `select.stopped`, or the passkey records of such bases by one rule.
        metric: `perplexity` or `k_max`.
    """
    window = tables.compared_window(rows)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for treatment in tables.treatments(rows):
        _draw(axes, rows, treatment, metric, window)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([variants.tokens_of(base) or 1 for base in tables.bases(rows)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} M")
    axes.set_xlabel("training tokens of the base")
    axes.set_ylabel("perplexity" if metric == "perplexity" else "$k_{max}$ (tokens)")
    if metric == "perplexity":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(tick))
        axes.yaxis.set_minor_formatter(FuncFormatter(tick))
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    count = max(record.n_documents or 0 for record in rows if record.metric == metric)
    unit = "document" if metric == "perplexity" else "trial"
    rule = f", rule {rows[0].protocol}" if metric == "k_max" else ""
    figure.suptitle(
        f"{variants.family_of(rows[0].model or '')} at a window of {window}, {plural(count, unit)}{rule}; "
        "lines through means over seeds, points single seeds",
        fontsize="small",
        color="0.35",
    )
    return figure


def _draw(axes: Axes, rows: Sequence[Record], treatment: Treatment, metric: str, window: int) -> None:
    alike = [tables.extension("", other) for other in tables.treatments(rows)]
    this = tables.extension("", treatment)
    means: list[tuple[float, float]] = []
    for base in tables.bases(rows):
        item = tables.extension(base, treatment)
        values = [record.value for record in tables.by_seed(rows, item, metric, window).values()]
        tokens = variants.tokens_of(base)
        if values and tokens is not None:
            axes.plot([tokens] * len(values), values, ".", color=colour(this, alike), alpha=0.5, markersize=5)
            means.append((tokens, _mean(values, metric)))
    if means:
        axes.plot(*zip(*means, strict=True), label=_label(this), **style(this, alike))


def _label(item: Extension) -> str:
    return "none" if item.method == "none" else item.label


def _mean(values: Sequence[float], metric: str) -> float:
    """Of perplexities the mean of the losses behind them."""
    return math.exp(fmean(map(math.log, values))) if metric == "perplexity" else fmean(values)
