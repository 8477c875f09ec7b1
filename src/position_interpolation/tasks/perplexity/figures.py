"""Perplexity by evaluation window over that of the base at L, above what the paper prints."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import DARK, colour
from position_interpolation.evidence import extensions, paper, seeds, select
from position_interpolation.evidence.comparison import Effect, exact
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural

Ratios = Mapping[Extension, Mapping[int, Effect]]  # by evaluation window
RATIO = "perplexity / the base's at L"
MARKERS = "osDv^<>ph"  # by window, ascending
LETTERS = 22  # characters of a row's name that leave room for the panel


@drawing.styled
def perplexity_figure(records: Sequence[Record], protocol: str = "token") -> Figure:
    """One group of `select.perplexities` in one aggregation, each perplexity over the base's at L where it is known.

    The first panel shows everything, and what long windows do to untuned extensions. The second shows tuned ones alone,
    closer, the third the paper's. Of extensions that differ in their steps alone the untuned and the longest tuned are
    drawn. Where there are too many for lines, each has a row (`rows_figure`), and the paper's are left to the table.
    """
    shown = extensions.ends([row for row in records if (row.metric, row.protocol) == ("perplexity", protocol)])
    found = _ratios(records, shown) if protocol == "token" else {}
    crowded = len(found) > drawing.MOST
    comparable = any(extension.steps for extension in found) and not crowded and not select.has_rivals(shown)
    printed = _printed(shown) if comparable else {}
    figure = rows_figure(found) if crowded else _relative(found, printed, shown) if found else _absolute(shown)
    tokens = plural(max(record.n_tokens or 0 for record in shown), "scored token")
    points: list[drawing.Point] = [point for curve in found.values() for point in curve.values()]
    bars = drawing.paired(found) if found else "bars: 95 % bootstrap over documents"
    return drawing.finish(
        figure,
        f"{', '.join(sorted({item.base for item in ordered(shown)}))} on {select.text(shown)}: {tokens}, "
        f"stride {shown[0].stride}, protocol {protocol}; {drawing.spread(points or shown, bars)}{_of_paper(printed)}",
        side=RATIO if found and not crowded else "",
    )


def _of_paper(printed: Ratios) -> str:
    """What a caption says of the paper's lines."""
    after = {"pi": "PI after 1000 steps", "extrapolation": "FT after 10000"}
    lines = [text for method, text in after.items() if any(item.method == method for item in printed)]
    return f"; the paper's {', its '.join([*lines, 'base above 1,000 past L'])}" if lines else ""


def _ratios(records: Sequence[Record], shown: Sequence[Record]) -> Ratios:
    """The ratio of every perplexity that shares documents with the base at L."""
    found: dict[Extension, dict[int, Effect]] = {}
    for extension, window in product(ordered(shown), select.windows(shown)):
        if (effect := seeds.over_base(records, extension, window)) is not None:
            found.setdefault(extension, {})[window] = effect
    return found


def _relative(found: Ratios, printed: Ratios, shown: Sequence[Record]) -> Figure:
    tuned = {extension: curve for extension, curve in found.items() if extension.steps}
    moved = [item for item in found if item not in tuned and (item.factor > 1 or len(found[item]) > 1)]
    theirs = f"The paper, LLaMA {paper.sizes(printed)}, {paper.TITLES.get(shown[0].task)}"
    views: dict[str, Ratios] = {
        "All": found if moved or not tuned else {},
        "What is tuned, closer": tuned,
        theirs: printed,
    }
    views = {title: curves for title, curves in views.items() if curves}
    figure, panels = drawing.panels(*[1.45] * len(views))
    called = names([*found])
    for axes, (title, curves) in zip(panels, views.items(), strict=True):
        for extension, curve in curves.items():
            drawing.line(axes, curve, extension, called)
        drawing.ratio_axis(axes, name="1: the base at L")
        if curves is printed:
            scaled = [replace(item, window=paper.window(item.window, item.base_window)) for item in printed]
            _windows(axes, sorted({window for curve in printed.values() for window in curve}), scaled)
        else:
            _windows(axes, select.windows(shown), found)
        if len(views) > 1:
            axes.set_title(title, pad=14)
    panels[-1].set_xlabel("evaluation window (tokens)")
    return figure


def _absolute(shown: Sequence[Record]) -> Figure:
    """Perplexities themselves, where no base was read at L, or the documents' losses were not kept."""
    called = names(ordered(shown))
    figure, (axes,) = drawing.panels(1.9)
    windows = select.windows(shown)
    for item in called:
        curve = {window: one for window in windows if (one := select.find(shown, item, "perplexity", window))}
        drawing.line(axes, curve, item, called)
    drawing.perplexity_axis(axes)
    _windows(axes, windows, called)
    axes.set_xlabel("evaluation window (tokens)")
    return figure


def _windows(axes: Axes, windows: Sequence[int], known: Iterable[Extension]) -> None:
    """An axis of windows with dashed lines at L, the least of the edges, and at every L'."""
    edges = {edge for item in known for edge in (item.base_window, item.window)}
    drawing.log_ticks(axes, windows)
    axes.set_xlim(windows[0] / 2**0.3, windows[-1] * 2**0.3)
    for window in sorted(edges):
        if windows[0] <= window <= windows[-1]:
            drawing.mark(axes, window, "L" if window == min(edges) else "L'")


def _printed(shown: Sequence[Record]) -> Ratios:
    """What the paper prints for the tuned extensions and the windows that we measured, over its base at L.

    The `> 10^3` are left out.
    """
    lines: dict[Extension, dict[int, Effect]] = {}
    for extension, window in product((item for item in ordered(shown) if item.steps), select.windows(shown)):
        base = paper.beside(extension.untouched, shown[0].task, "perplexity", extension.base_window)
        printed = paper.beside(extension, shown[0].task, "perplexity", window)
        if base is not None and printed is not None and math.isfinite(printed.value):
            ratio = exact(printed.value / base.value, printed.experiment)
            lines.setdefault(extension, {})[printed.eval_window or 0] = ratio
    return lines


def rows_figure(found: Ratios) -> Figure:
    """A panel of what is untuned and one of what is tuned; in each row a marker per window, joined in their order."""
    untuned, tuned = [item for item in found if not item.steps], [item for item in found if item.steps]
    alike = len({item.steps for item in tuned}) == 1  # a panel that says how long names its rows without it
    after = f"tuned {tuned[0].steps} steps" if alike else "tuned"
    kinds = {title: kind for title, kind in (("untuned", untuned), (after, tuned)) if kind}
    windows = sorted({window for curve in found.values() for window in curve})
    figure, panels = drawing.panels(*[0.4 + 0.22 * len(kind) for kind in kinds.values()])
    for window, marker in zip(windows, MARKERS, strict=False):
        panels[0].plot([], [], marker, color=DARK, label=f"in windows of {window}")
    called = {item: name.removesuffix(", untuned").removesuffix(f", {after}") for item, name in names([*found]).items()}
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
