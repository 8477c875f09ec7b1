"""Perplexity against evaluation window, beside what the paper prints."""

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import colour, style
from position_interpolation.evidence import paper, select, step_counts
from position_interpolation.evidence.extensions import Extension, extension_of, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import UNREADABLE, plural

UP = r"$\uparrow$"


@drawing.styled
def perplexity_figure(records: Sequence[Record], protocol: str = "token") -> Figure:
    """One group of `select.perplexities` in one aggregation: a line an extension, above what the paper prints.

    Of extensions that differ in their steps alone the longest tuned is drawn, and the untuned.
    """
    shown = [record for record in records if (record.metric, record.protocol) == ("perplexity", protocol)]
    shown = step_counts.ends(shown)
    called, printed, first = names(ordered(shown)), _printed_lines(shown), shown[0]
    extensions = [*called]
    figure, (ours, *theirs) = drawing.panels(*(2.4, 2.4) if printed else (2.4,))
    for extension in extensions:
        own = sorted((row for row in shown if extension_of(row) == extension), key=lambda row: row.eval_window or 0)
        curve = {_beside(record.eval_window or 0, extension, extensions): record for record in own}
        drawing.line(ours, curve, extension, called, records)
    ours.set_title(f"{', '.join(sorted({item.model for item in extensions}))}, {first.task}", pad=16)
    _axes(ours, select.windows(shown), extensions[0].base_window, {item.window for item in extensions})
    for axes in theirs:
        _draw_printed(axes, printed, extensions)
        table = f"The paper, LLaMA {paper.size(extensions[0].model)}, {paper.TITLES[first.task]}"
        axes.set_title(f"{table} (PI 1000 steps, FT 10000)", pad=16)
    tokens = plural(max(record.n_tokens or 0 for record in shown), "scored token")
    drawing.finish(
        figure,
        f"{drawing.count(shown, 'document')} ({first.data.get('source')} text), {tokens}, "
        f"stride {first.stride}, protocol {protocol}; {drawing.spread(shown, 'bars: 95 % bootstrap over documents')}; "
        "points of one window stand side by side",
    )
    return figure


def _beside(window: int, extension: Extension, among: Sequence[Extension]) -> float:
    """The window moved by hundredths of an octave, so that the bars of close extensions can be told apart."""
    return float(window * 2 ** (0.05 * (among.index(extension) - (len(among) - 1) / 2)))


def _axes(axes: Axes, windows: Sequence[int], trained: int, extended: Iterable[int]) -> None:
    """Axes of windows and perplexities, with dashed lines at L and every L' shown."""
    drawing.log_ticks(axes, windows)
    axes.set_xlabel("evaluation window (tokens)")
    drawing.perplexity_axis(axes)
    drawing.mark(axes, trained)
    for window in sorted({window for window in extended if trained < window <= max(windows)}):
        drawing.mark(axes, window, "L'")


def _printed_lines(records: Sequence[Record]) -> dict[Extension, list[tuple[int, float]]]:
    """(window, perplexity) that the paper prints for the extensions and windows that we measured."""
    lines: dict[Extension, list[tuple[int, float]]] = {}
    for extension in ordered(records):
        for window in select.windows(records):
            printed = paper.beside(extension, records[0].task, "perplexity", window)
            if printed is not None:
                lines.setdefault(extension, []).append((printed.eval_window or 0, printed.value))
    return lines


def _draw_printed(axes: Axes, lines: dict[Extension, list[tuple[int, float]]], among: Sequence[Extension]) -> None:
    """The paper's numbers in our styles; what it prints as > 10^3 is an arrow leaving the top."""
    for extension, points in lines.items():
        known = [point for point in points if math.isfinite(point[1])]
        axes.plot([window for window, _ in known], [value for _, value in known], **style(extension, among))
        beyond = [window for window, value in points if math.isinf(value)]
        if beyond:
            shade, ends = colour(extension, among), [*known[-1:], (beyond[0], UNREADABLE)]
            axes.plot(*zip(*ends, strict=True), color=shade, linestyle="--", linewidth=1)
            axes.scatter(beyond, [UNREADABLE] * len(beyond), 80, shade, marker=UP, label="above 1,000 (paper)")
    windows = sorted({window for points in lines.values() for window, _ in points})
    edges = {paper.window(item.window, item.base_window) for item in lines}
    _axes(axes, windows, paper.printed()["paper"]["original_window"], edges)
