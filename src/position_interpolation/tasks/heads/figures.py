"""Real heads drawn: scores past the window, interpolation error by layer beside both bounds, and B(s) / d."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from position_interpolation.display.colours import BLACK, BLUE, GREY, VERMILION
from position_interpolation.display.drawing import tick
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import Block
from position_interpolation.evidence.words import plural, whole
from position_interpolation.tasks.heads.tables import scores_by_span
from position_interpolation.tasks.theory.bounds import partial_sum_magnitude

MARKED = {"largest": "^", "p95": "s", "median": "o"}
NAMES = {"median": "median", "p95": "95th percentile", "largest": "largest"}


def heads_figure(records: Sequence[Record]) -> Figure:
    """Three panels on the heads of one model.

    Args:
        records: those of one model in one group of `select.heads`.
    """
    found = {record.metric: record for record in records if record.at is None}
    extension = ordered(records)[0]
    by_span = scores_by_span(records, extension)
    by_layer = {name: select.along(records, extension, f"error_{name}") for name in ("largest", "p95", "median")}
    figure = Figure(figsize=(16, 5.4), layout="constrained")
    scores, errors, ratio = figure.subplots(1, 3)
    _draw_scores(scores, by_span)
    _draw_errors(errors, found, by_layer)
    _draw_ratio(ratio, found, max(stop for _, stop in by_span))
    window = extension.base_window
    for axes in (scores, ratio):
        axes.axvline(window, color=VERMILION, linestyle="--", linewidth=1.2, label=f"end of the window, L = {window}")
        axes.set_xlabel("span s (tokens)")
    for axes in (scores, errors, ratio):
        axes.grid(axis="y", color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    first = found["error_median"]
    figure.suptitle(
        f"The heads of {extension.base}: d = {whole(found['head_dim'].value)}, base {found['rope_theta'].value:g}; "
        f"{plural(round(found['pairs'].value), 'pair')} of a query and a key from "
        f"{plural(first.n_documents or 0, 'document')} ({first.data.get('source')} text); "
        "bars: 95 % bootstrap over pairs",
        fontsize="small",
        color="0.35",
    )
    return figure


def _draw_scores(axes: Axes, found: dict[Block, dict[str, Record]]) -> None:
    """Quantiles over pairs of the largest score in each block of spans, the band between them shaded."""
    middles = [(start + stop) / 2 for start, stop in found]
    series = {name: [levels[name] for levels in found.values()] for name in ("p95", "median")}
    low, high = ([record.value for record in series[name]] for name in ("median", "p95"))
    axes.fill_between(middles, low, high, color=BLUE, alpha=0.15, linewidth=0)
    for name, own in series.items():
        _line(axes, middles, own, BLUE, name)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("largest |a(s)| / √d in a block of spans (no unit)")
    axes.set_title("Scores inside and past the window")


def _draw_errors(axes: Axes, found: dict[str, Record], by_layer: dict[str, dict[int, Record]]) -> None:
    """Quantiles of the interpolation error by layer, under what section 2 allows."""
    for name, errors in by_layer.items():
        _line(axes, [*errors], [*errors.values()], GREY if name == "largest" else BLUE, name)
    for name, shade, label in (("corrected", BLACK, "corrected bound"), ("printed", VERMILION, "eq. 7 as printed")):
        bound = found[f"{name}_bound"].value
        axes.axhline(bound, color=shade, linestyle="--", linewidth=1.2, label=f"{label}: {bound:.4f}")
    axes.set_yscale("log")
    for axis in ("major", "minor"):
        getattr(axes.yaxis, f"set_{axis}_formatter")(FuncFormatter(tick))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer")
    axes.set_ylabel("interpolation error / max|h_j| (no unit)")
    axes.set_title("Interpolation error inside the window")


def _draw_ratio(axes: Axes, found: dict[str, Record], stop: int) -> None:
    """B(s) / d at the model's own d and base, which decide it, with the minimum that was recorded."""
    head_dim, base = round(found["head_dim"].value), found["rope_theta"].value
    axes.plot(partial_sum_magnitude(np.arange(stop), head_dim, base) / head_dim, color=BLUE, linewidth=0.8)
    axes.axhline(1, color=BLACK, linestyle="--", linewidth=1.2, label="B(s) / d = 1")
    span, least = found["smallest_ratio_span"].value, found["smallest_ratio"].value
    label = f"minimum {least:.4f} at s = {whole(span)}"
    axes.plot(span, least, "o", color=VERMILION, label=label, linestyle="")
    axes.set_yscale("log")
    for axis in ("major", "minor"):
        getattr(axes.yaxis, f"set_{axis}_formatter")(FuncFormatter(tick))
    axes.set_ylabel("B(s) / d (no unit)")
    axes.set_title("Extrapolation bound over d")


def _line(axes: Axes, places: Sequence[float], own: Sequence[Record], shade: str, name: str) -> None:
    """One quantile with its interval bars; the median is filled and solid, the others hollow and dotted."""
    solid = name == "median"
    axes.plot(
        places, [record.value for record in own], color=shade, marker=MARKED[name], label=NAMES[name], markersize=5,
        linestyle="-" if solid else ":", markerfacecolor=shade if solid else "white",
    )  # fmt: skip
    for place, record in zip(places, own, strict=True):
        if record.ci_low is not None and record.ci_high is not None:
            axes.plot([place] * 2, [record.ci_low, record.ci_high], color=shade, linewidth=1.5)
