"""What every figure is made of: one style, panels one column wide, lines with intervals, axes, legend and caption.

The style is assets/figures.mplstyle; `@styled` applies it to a function that draws. docs/add_a_figure.md has an
example.
"""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import sideways
from position_interpolation.display.colours import DARK, colour, style
from position_interpolation.evidence.comparison import Effect, recorded
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import rate_text
from position_interpolation.machine import files
from position_interpolation.settings.places import ASSETS

# For use as a decorator only: a single object cannot be entered twice by `with`.
styled = rc_context(fname=ASSETS / "figures.mplstyle")

WIDTH, LINE = 8 / 2.54, 0.14  # inches: of a figure, and of a line of text
LETTERS, HALF = 58, 24  # characters that fit the width, and the title of one of two panels side by side
MOST = 8  # lines that can be told apart in one panel; more need panels or rows of their own
# Where an axis of ratios may have ticks.
RATIOS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.01, 1.02, 1.05,
    1.1, 1.2, 1.3, 1.5, 2, 3, 5, 7, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000,
)  # fmt: skip
TICKS = 6  # two ticks of an axis of ratios lie at least a sixth of it apart
FEW = 5  # documents that an interval needs; fewer are drawn as a dot each
Point = Record | Effect  # a value with its interval
Curve = Mapping[Any, Point]  # by place
# Dates and program versions would change the bytes of an unchanged figure.
METADATA = {"png": dict.fromkeys(["Software"]), "pdf": dict.fromkeys(["CreationDate", "Creator", "Producer"])}


def panels(*heights: float) -> tuple[Figure, list[Axes]]:
    """A figure one column wide, and its panels from the top down, with these heights in inches."""
    figure = Figure(figsize=(WIDTH, sum(heights)))
    return figure, list(figure.subplots(len(heights), squeeze=False, height_ratios=heights)[:, 0])


def grid(titles: Sequence[str], height: float, across: str) -> tuple[Figure, list[Axes]]:
    """A figure one column wide, and a panel a title in two columns that share their axes.

    `height` is in inches, and `across` is what the horizontal axes show.
    """
    rows = math.ceil(len(titles) / 2)
    figure = Figure(figsize=(WIDTH, rows * height))
    axes = list(figure.subplots(rows, 2, squeeze=False, sharex=True, sharey=True).flat)
    for spare in axes[len(titles) :]:
        spare.remove()
    for panel, title in zip(figure.axes, titles, strict=True):
        panel.set_title(textwrap.fill(title, HALF))
    for lowest in figure.axes[-2:]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(across)
    return figure, figure.axes


def line(axes: Axes, curve: Curve, extension: Extension, called: Mapping[Extension, str], **look: Any) -> None:
    """One extension's values by place, with intervals at its markers; `look` overrides its usual style.

    `markevery` among it is a pair: the first point with a marker, and the step to the next.
    """
    among = list(called)
    look = {"label": called[extension], **style(extension, among), **look}
    with sideways.together(axes, called[extension]):
        axes.plot(list(curve), [point.value for point in curve.values()], **look)
        first, every = look.get("markevery", (0, 1))
        intervals(axes, dict(list(curve.items())[first::every]), colour(extension, among))


def intervals(axes: Axes, curve: Curve, shade: str, across: bool = False) -> None:
    """A bar from end to end of each interval; for two to four documents a small dot per document instead."""
    for place, point in curve.items():
        effect = _effect(point)
        if _few(point):
            single = effect.each if effect.documents > 1 else ()  # one document is the point itself
            dots = ([place] * len(single), single)
            axes.plot(*(dots[::-1] if across else dots), ".", color=shade, alpha=0.6, markersize=3)
        elif effect.low is not None and effect.high is not None and effect.low < effect.high:
            bar = ((place, place), (effect.low, effect.high))
            axes.plot(*(bar[::-1] if across else bar), color=shade, marker="|" if across else "_")


def paired(among: Iterable[Extension]) -> str:
    """What a caption says of bars of ratios to the base."""
    seeds = " and, of what is tuned, seeds" if any(extension.steps for extension in among) else ""
    return f"bars: 95 % over paired documents{seeds}"


def spread(own: Iterable[Point], bars: str) -> str:
    """What a caption says about the intervals of some numbers: `bars`, or that dots stand in their place."""
    shown = list(own)
    if any(map(_few, shown)):
        several = any(_effect(point).documents > 1 for point in shown)
        return "small dots: single documents" if several else "one document, which has no interval"
    return bars if any(_effect(point).low is not None for point in shown) else "no intervals were recorded"


def _few(point: Point) -> bool:
    return 0 < _effect(point).documents < FEW


def _effect(point: Point) -> Effect:
    return recorded(point) if isinstance(point, Record) else point


def log_ticks(axes: Axes, places: Sequence[float], labels: Sequence[str] | None = None) -> None:
    """A horizontal axis of base-2 logarithms with ticks at these places alone, such as windows."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, labels or list(map(str, places)))
    axes.xaxis.minorticks_off()


def step_ticks(axes: Axes, steps: Iterable[int]) -> None:
    """A horizontal axis of tuning steps, logarithmic from the first one on, left of which 0 has its place."""
    places = sorted(steps)
    axes.set_xscale("symlog", linthresh=next(place for place in places if place), linscale=0.5)
    axes.set_xticks(places, list(map(str, places)))
    axes.xaxis.minorticks_off()


def log_axis(axes: Axes) -> None:
    """A logarithmic vertical axis with plain numbers, if what is drawn spans enough for it."""
    low, high = axes.get_ylim()
    if low <= 0 or high > 3 * low:  # on a shorter scale a logarithmic axis would show one number or none
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(tick)
        axes.yaxis.set_minor_formatter(tick)


def ratio_axis(axes: Axes, ends: Sequence[Point] = (), name: str = "the base itself", across: bool = False) -> None:
    """A logarithmic axis of ratios with a named line at 1; what leaves the range of `ends` is cut off.

    It is the vertical axis, or the horizontal one if ratios run `across`.
    """
    reference = axes.axvline if across else axes.axhline
    reference(1, color=DARK, linewidth=0.8, zorder=0, label=name)
    letter, axis = ("x", axes.xaxis) if across else ("y", axes.yaxis)
    axes.set(**{f"{letter}scale": "log"})
    if ends:
        values = [1.0, *(value for point in ends for value in _drawn(point))]
        room = max(1.001, (max(values) / min(values)) ** 0.08)
        axes.set(**{f"{letter}lim": (min(values) / room, max(values) * room)})
    ticks = ratio_ticks(*axis.get_view_interval())
    axis.set_ticks(ticks, [f"{value:,g}" for value in ticks])
    axis.minorticks_off()


def _drawn(point: Point) -> list[float]:
    """The numbers at which a point has a mark."""
    effect = _effect(point)
    ends: Sequence[float | None] = effect.each if _few(point) else (effect.low, effect.high)
    return [effect.value, *(end for end in ends if end is not None)]


def ratio_ticks(low: float, high: float) -> list[float]:
    """1, and ratios far enough from it and from each other, on a logarithmic axis from `low` to `high`."""
    apart, kept = math.log(high / low) / TICKS, [1.0]
    for value in sorted(RATIOS, key=lambda value: (round(abs(math.log(value)), 2), value)):
        if low <= value <= high and all(abs(math.log(value / other)) >= apart for other in kept):
            kept.append(value)
    return sorted(value for value in kept if low <= value <= high)


def perplexity_axis(axes: Axes, label: str = "perplexity") -> None:
    """A logarithmic axis that does not go below 1, the least perplexity."""
    log_axis(axes)
    axes.set_ylim(bottom=max(1.0, axes.get_ylim()[0]))
    axes.set_ylabel(label)


def tick(value: float, _: float) -> str:
    """The label of a tick on a logarithmic axis: 1, 2 and 5 of every decade; more would crowd."""
    leading = value / 10 ** math.floor(math.log10(value))
    return f"{value:,.10g}" if round(leading, 6) in (1, 2, 5) else ""


def percent(value: float, _: float) -> str:
    """The label of a tick at a rate."""
    return rate_text(value).replace(".0", "")


def mark(axes: Axes, window: int, name: str | None = None) -> None:
    """A dashed line at the end of a window, with its name above the panel; without a name `L = 256`."""
    axes.axvline(window, color=DARK, linestyle="--", linewidth=0.8, zorder=0)
    axes.text(window, 1.04, name or f"L = {window}", ha="center", color=DARK, transform=axes.get_xaxis_transform())


def cells(axes: Axes) -> None:
    """A panel of coloured cells: neither spines nor grid nor tick marks."""
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def finish(figure: Figure, caption: str, side: str = "") -> Figure:
    """The figure with a caption above the panels, and below them one legend, in which each label stands once.

    The caption should say how many documents or trials are behind the figure, and what its bars are. `side` is what
    the vertical axes of all panels show. Lines whose marks would lie over each other are moved apart.
    """
    known: dict[str, Any] = {}
    if any([sideways.move_apart(axes) for axes in figure.axes]):  # a list: every panel has its turn
        caption += "; marks that would hide each other stand side by side"
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    columns = max(1, LETTERS // (max(map(len, known), default=0) + 7))
    if known:
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=columns)
    wrapped = _balanced(caption.replace(" %", "\N{NO-BREAK SPACE}%"))
    figure.suptitle("\n".join(wrapped), color=DARK)
    # Panels keep their height: the text gets room of its own.
    below = math.ceil(len(known) / columns) if known else 0
    figure.set_figheight(figure.get_figheight() + LINE * (len(wrapped) + below + 1))
    if side:  # beside the panels, not beside the caption and the legend
        middle = 0.5 + LINE * (below + 2 - len(wrapped)) / (2 * figure.get_figheight())
        figure.supylabel(side, y=middle, fontsize="medium")
    figure.draw_without_rendering()  # which may leave room for other ticks, and these need another layout
    return figure


def _balanced(text: str) -> list[str]:
    """The text in as few lines as fit the width, of about the same length."""
    lines = textwrap.wrap(text, LETTERS)
    while len(closer := textwrap.wrap(text, max(map(len, lines)) - 1)) == len(lines):
        lines = closer
    return lines


@styled
def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem`.png and `stem`.pdf, whole or not at all, without dates."""
    written = {kind: stem.with_name(f"{stem.name}.{kind}") for kind in METADATA}
    for kind, path in written.items():
        files.write(path, partial(figure.savefig, format=kind, metadata=METADATA[kind]))
    return list(written.values())
