"""Perplexity over that of the base at L, one row per extension: where there are too many for lines in one panel."""

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import DARK, colour
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension, names

Ratios = Mapping[Extension, Mapping[int, Effect]]  # by evaluation window
RATIO = "perplexity / the base's at L"
MARKERS = "osDv^<>ph"  # by window, ascending
LETTERS = 22  # characters of a row's name that leave room for the panel


def rows_figure(found: Ratios) -> Figure:
    """A panel of what is untuned and one of what is tuned; in each row a marker per window, joined in their order."""
    kinds = {
        title: [item for item in found if bool(item.steps) == tuned]
        for title, tuned in (("untuned", False), ("tuned", True))
    }
    kinds = {title: kind for title, kind in kinds.items() if kind}
    windows = sorted({window for curve in found.values() for window in curve})
    figure, panels = drawing.panels(*[0.4 + 0.22 * len(kind) for kind in kinds.values()])
    for window, marker in zip(windows, MARKERS, strict=False):
        panels[0].plot([], [], marker, color=DARK, label=f"in windows of {window}")
    called = {item: name.removesuffix(", untuned") for item, name in names([*found]).items()}
    for axes, (title, kind) in zip(panels, kinds.items(), strict=True):
        for row, extension in enumerate(kind):
            _row(axes, row, found[extension], windows, colour(extension, [*found]))
        drawing.ratio_axis(axes, [point for item in kind for point in found[item].values()], "1: the base at L", True)
        axes.set_yticks(range(len(kind)), [textwrap.fill(called[item], LETTERS) for item in kind])
        axes.set(title=title, ylim=(len(kind) - 0.4, -0.6))
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
    panels[-1].set_xlabel(RATIO)
    return figure


def _row(axes: Axes, row: int, curve: Mapping[int, Effect], windows: Sequence[int], shade: str) -> None:
    """The markers of one extension, one a little below the other, so that no interval lies over another."""
    step = 0.5 / len(windows)
    places = {window: row + step * (windows.index(window) - (len(windows) - 1) / 2) for window in curve}
    axes.plot([effect.value for effect in curve.values()], [*places.values()], color=shade, linewidth=0.6, zorder=1)
    for window, effect in curve.items():
        marker = MARKERS[windows.index(window) % len(MARKERS)]
        axes.plot(effect.value, places[window], marker, color=shade, markersize=3.5, zorder=3)
        drawing.intervals(axes, {places[window]: effect}, shade, across=True)
