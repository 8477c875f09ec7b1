"""Perplexity against evaluation window, beside what the paper prints."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from position_interpolation.display.colours import GREY, colour
from position_interpolation.display.drawing import line, style, tick
from position_interpolation.evidence import paper, select
from position_interpolation.evidence.extensions import Extension, extension_of, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import UNREADABLE, plural


def perplexity_figure(records: Sequence[Record], protocol: str = "token") -> Figure:
    """Perplexity against evaluation window, one line an extension, beside what the paper prints.

    Args:
        records: one group of `select.perplexities`.
        protocol: which aggregation to show.
    """
    shown = [record for record in records if (record.metric, record.protocol) == ("perplexity", protocol)]
    extensions = ordered(shown)
    printed = _printed_lines(shown)
    figure = Figure(figsize=(11, 5.2) if printed else (7, 5.2), layout="constrained")
    ours, *theirs = figure.subplots(1, 2 if printed else 1, squeeze=False)[0]

    called = names(extensions)
    for extension in extensions:
        own = sorted(
            (record for record in shown if extension_of(record) == extension),
            key=lambda item: item.eval_window or 0,
        )
        places = [_beside(record.eval_window or 0, extension, extensions) for record in own]
        line(ours, own, places, extension, extensions, called[extension])
    _window_axes(ours, select.windows(shown), extensions[0].base_window, {item.window for item in extensions})
    first = shown[0]
    ours.set_title(f"{', '.join(sorted({item.model for item in extensions}))}, {first.task}", pad=18)
    for axes in theirs:
        _draw_printed(axes, printed, extensions)
        printed_title = f"The paper: LLaMA {paper.size(extensions[0].model)}, {paper.TITLES[first.task]}"
        axes.set_title(f"{printed_title}; PI tuned 1000 steps, FT 10000", pad=18, fontsize="medium")

    handles, labels = ours.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False)
    documents, tokens = (max(getattr(record, count) or 0 for record in shown) for count in ("n_documents", "n_tokens"))
    text = (
        f"{plural(documents, 'document')} ({first.data.get('source')} text), "
        f"{plural(tokens, 'scored token')}, stride {first.stride}, protocol {protocol}"
    )
    bars = "bars: 95 % bootstrap over documents; points of one window stand side by side"
    figure.suptitle(f"{text};{' ' if printed else chr(10)}{bars}", fontsize="small", color="0.35")
    return figure


def _beside(window: int, extension: Extension, among: Sequence[Extension]) -> float:
    """The window moved by hundredths of an octave, so that the bars of close extensions can be told apart."""
    return float(window * 2 ** (0.025 * (among.index(extension) - (len(among) - 1) / 2)))


def _window_axes(axes: Axes, windows: Sequence[int], trained: int, extended: set[int]) -> None:
    """Logarithmic axes, where what is drawn already asks for them, with dashed lines at L and every L' shown."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(list(windows)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    low, high = axes.get_ylim()
    if low <= 0 or high > 3 * low:  # on less of a scale a logarithmic axis would show no number or one
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(tick))
        axes.yaxis.set_minor_formatter(FuncFormatter(tick))
    for edge in sorted({trained} | {window for window in extended if window <= max(windows)}):
        axes.axvline(edge, color=GREY, linestyle="--", linewidth=1, zorder=0)
        axes.annotate(
            f"L = {edge}" if edge == trained else f"L' = {edge}", (edge, 1), xytext=(0, 3), ha="center",
            xycoords=("data", "axes fraction"), textcoords="offset points", color="0.35", fontsize="small",
        )  # fmt: skip
    axes.set_xlabel("evaluation window (tokens)")
    axes.set_ylabel("perplexity")
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


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
        known = [(window, value) for window, value in points if math.isfinite(value)]
        if known:
            axes.plot(*zip(*known, strict=True), **style(extension, among))
        beyond = [window for window, value in points if math.isinf(value)]
        if beyond:
            path = [*known[-1:], (beyond[0], UNREADABLE)]
            axes.plot(*zip(*path, strict=True), color=colour(extension, among), linestyle="--", linewidth=1)
            axes.plot(
                beyond, [UNREADABLE] * len(beyond), linestyle="", marker=r"$\uparrow$", markersize=11,
                color=colour(extension, among),
            )  # fmt: skip
            axes.annotate(
                "above 1,000", (beyond[-1], UNREADABLE), xytext=(-6, -16), textcoords="offset points",
                ha="right", fontsize="small", color=colour(extension, among),
            )  # fmt: skip
    windows = sorted({window for points in lines.values() for window, _ in points})
    edges = {paper.window(item.window, item.base_window) for item in lines}
    _window_axes(axes, windows, paper.printed()["paper"]["original_window"], edges)
