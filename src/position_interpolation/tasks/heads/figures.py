"""Real heads drawn: scores past the window, interpolation error by layer beside both bounds, and B(s) / d."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from position_interpolation.display import drawing
from position_interpolation.display.colours import BLACK, BLUE, GREY, VERMILION
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, whole
from position_interpolation.tasks.heads.tables import scores_by_span
from position_interpolation.tasks.theory.bounds import partial_sum_magnitude

# Colour, marker and name of a quantile over pairs.
QUANTILES = {
    "largest": (GREY, "^:", "largest"),
    "p95": (BLUE, "s:", "95th percentile"),
    "median": (BLUE, "o-", "median"),
}


@drawing.styled
def heads_figure(records: Sequence[Record]) -> Figure:
    """Three panels for the records of one model in one group of `select.heads`, for which `tables.is_whole` holds."""
    found = {record.metric: record for record in records if record.at is None}
    extension = ordered(records)[0]
    by_span = scores_by_span(records, extension)
    figure, (scores, errors, ratio) = drawing.panels(1.7, 1.7, 1.7)
    for name in ("p95", "median"):
        _quantile(scores, {sum(span) / 2: levels[name] for span, levels in by_span.items() if name in levels}, name)
    scores.set_ylabel("largest |a(s)| / √d\nin a block of spans (no unit)")
    scores.set_ylim(bottom=0)
    for name in QUANTILES:
        _quantile(errors, select.along(records, extension, f"error_{name}"), name)
    _bounds(errors, found)
    _ratio(ratio, found, max(stop for _, stop in by_span))
    for axes in (scores, ratio):
        drawing.mark(axes, extension.base_window)
        axes.set_xlabel("span s (tokens)")
        axes.xaxis.set_major_locator(MaxNLocator(5))
    first = found["error_median"]
    drawing.finish(
        figure,
        f"The heads of {extension.base}: d = {whole(found['head_dim'].value)}, base {found['rope_theta'].value:g}; "
        f"{plural(round(found['pairs'].value), 'pair')} of a query and a key from "
        f"{select.counted([first], 'document')} ({first.data.get('source')} text); "
        "bars: 95 % bootstrap over pairs",
    )
    return figure


def _quantile(axes: Axes, curve: Mapping[Any, Record], name: str) -> None:
    """A quantile over pairs with its intervals."""
    shade, look, label = QUANTILES[name]
    inner = shade if name == "median" else "white"
    values = [record.value for record in curve.values()]
    axes.plot(list(curve), values, look, color=shade, markerfacecolor=inner, label=label)
    drawing.intervals(axes, curve, shade)


def _bounds(axes: Axes, found: dict[str, Record]) -> None:
    """What section 2 allows for the interpolation error, above the errors by layer."""
    corrected, printed = found["corrected_bound"].value, found["printed_bound"].value
    axes.axhline(corrected, color=BLACK, linestyle="-.", label=f"corrected bound: {corrected:.4f}")
    axes.axhline(printed, color=VERMILION, linestyle="--", label=f"eq. 7 as printed: {printed:.4f}")
    drawing.log_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="layer", ylabel="interpolation error in the\nwindow / max|h_j| (no unit)")


def _ratio(axes: Axes, found: dict[str, Record], stop: int) -> None:
    """B(s) / d, which the model's d and base decide, with the minimum that was recorded."""
    head_dim, base = round(found["head_dim"].value), found["rope_theta"].value
    axes.plot(partial_sum_magnitude(np.arange(stop), head_dim, base) / head_dim, color=BLUE, linewidth=0.6)
    axes.axhline(1, color=BLACK, linestyle=":", label="B(s) / d = 1")
    span, least = found["smallest_ratio_span"].value, found["smallest_ratio"].value
    axes.plot(span, least, "D", color=VERMILION, label=f"minimum {least:.4f} at s = {whole(span)}")
    drawing.log_axis(axes)
    axes.set_ylabel("B(s) / d (no unit)")
