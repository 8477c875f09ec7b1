"""What every figure is made of: one style, panels one column wide, lines with intervals, axes, legend and caption.

The style is assets/figures.mplstyle; `@styled` applies it to a function that draws.
docs/add_a_figure.md has an example.
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

from position_interpolation.display.colours import DARK, colour, style
from position_interpolation.evidence.extensions import Extension, extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import BLOCK_PERPLEXITY, DOCUMENT_BLOCK_LOSS
from position_interpolation.evidence.words import plural, rate_text
from position_interpolation.machine import files
from position_interpolation.settings.places import ASSETS

# A decorator alone: it cannot stand after `with`.
styled = rc_context(fname=ASSETS / "figures.mplstyle")

WIDTH, LINE = 4.0, 0.16  # inches: of a figure, and of a line of text
LETTERS = 66  # that fit the width
FEW = 5  # documents that an interval needs; of fewer, each is a dot
LOSSES = {"perplexity": "document_loss", BLOCK_PERPLEXITY: DOCUMENT_BLOCK_LOSS}
# Dates and program versions would change the bytes of an unchanged figure.
METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def panels(*heights: float) -> tuple[Figure, list[Axes]]:
    """A figure one column wide, and its panels of these heights in inches from the top down."""
    figure = Figure(figsize=(WIDTH, sum(heights)))
    return figure, list(figure.subplots(len(heights), squeeze=False, height_ratios=heights)[:, 0])


def grid(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure one column wide, and so many panels of this height in inches, two a row, with the same axes."""
    rows = math.ceil(count / 2)
    figure = Figure(figsize=(WIDTH, rows * height))
    axes = list(figure.subplots(rows, 2, squeeze=False, sharex=True, sharey=True).flat)
    for spare in axes[count:]:
        spare.remove()
    for above in axes[:count][-2:]:
        above.tick_params(labelbottom=True)
    return figure, axes[:count]


def line(
    axes: Axes,
    curve: Mapping[Any, Record],
    extension: Extension,
    called: Mapping[Extension, str],
    rows: Sequence[Record] = (),
    **look: Any,
) -> None:
    """One extension's values by place, with their intervals; `look` is what differs from its usual style.

    `rows` have the losses of single documents, which are shown instead of intervals where there are few.
    """
    among = list(called)
    values = [record.value for record in curve.values()]
    axes.plot(list(curve), values, **{"label": called[extension], **style(extension, among), **look})
    intervals(axes, curve, colour(extension, among), rows)


def intervals(
    axes: Axes, curve: Mapping[Any, Record], shade: str, rows: Sequence[Record] = (), across: bool = False
) -> None:
    """A bar from end to end of each interval; of fewer than five documents a small dot a document instead."""
    for place, record in curve.items():
        if _few(record):
            values = _documents(rows, record)
            axes.plot([place] * len(values), values, ".", color=shade, alpha=0.6, markersize=3)
        elif record.ci_low is not None and record.ci_high is not None:
            ends, still = (record.ci_low, record.ci_high), (place, place)
            axes.plot(*((ends, still) if across else (still, ends)), color=shade, marker="|" if across else "_")


def count(records: Iterable[Record], noun: str) -> str:
    """How many documents or trials these numbers are of: `8 documents`."""
    return plural(max(record.n_documents or 0 for record in records), noun)


def spread(own: Iterable[Record], bars: str) -> str:
    """What a caption says of the intervals of some records: `bars`, or that dots stand in their place."""
    return "small dots: single documents" if any(map(_few, own)) else bars


def _few(record: Record) -> bool:
    return record.n_documents is not None and record.n_documents < FEW


def _documents(rows: Sequence[Record], record: Record) -> list[float]:
    """The perplexities of the single documents behind one."""
    place = (LOSSES.get(record.metric), record.at, record.eval_window, extension_of(record))
    return [math.exp(row.value) for row in rows if (row.metric, row.at, row.eval_window, extension_of(row)) == place]


def log_ticks(axes: Axes, places: Sequence[int], labels: Sequence[str] | None = None) -> None:
    """A horizontal axis on which every doubling is as wide, with ticks at these places alone, such as windows."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, list(map(str, places)) if labels is None else labels)
    axes.minorticks_off()


def log_axis(axes: Axes) -> None:
    """A logarithmic vertical axis, where what is drawn spans enough for it, with plain numbers."""
    low, high = axes.get_ylim()
    if low <= 0 or high > 3 * low:  # on less of a scale a logarithmic axis would show no number or one
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(tick)
        axes.yaxis.set_minor_formatter(tick)


def perplexity_axis(axes: Axes, label: str = "perplexity") -> None:
    """A logarithmic axis that ends at 1, below which there is no perplexity."""
    log_axis(axes)
    axes.set_ylim(bottom=max(1.0, axes.get_ylim()[0]))
    axes.set_ylabel(label)


def tick(value: float, _: float) -> str:
    """Label 1, 2 and 5 of every decade in plain numbers; others would crowd."""
    leading = value / 10 ** math.floor(math.log10(value))
    return f"{value:,.10g}" if round(leading, 6) in (1, 2, 5) else ""


def percent(value: float, _: float) -> str:
    """The label of a tick at a rate."""
    return rate_text(value).replace(".0", "")


def mark(axes: Axes, window: int, name: str = "L") -> None:
    """A dashed line at the end of a window, with its name above the panel."""
    axes.axvline(window, color=DARK, linestyle="--", linewidth=1, zorder=0)
    axes.text(window, 1.02, f"{name} = {window}", ha="center", color=DARK, transform=axes.get_xaxis_transform())


def cells(axes: Axes) -> None:
    """A panel of coloured cells: neither spines nor grid nor tick marks."""
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def finish(figure: Figure, caption: str) -> None:
    """A caption above the panels, and below them one legend, in which what has the same label stands once.

    The caption says of how many documents or trials the figure is, and what its bars are.
    """
    known: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    columns = max(1, LETTERS // (max(map(len, known), default=0) + 7))
    if known:
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=columns)
    wrapped = textwrap.wrap(caption.replace(" %", "\N{NO-BREAK SPACE}%"), LETTERS)
    figure.suptitle("\n".join(wrapped), color=DARK)
    # Panels keep their height: the text gets room of its own.
    figure.set_figheight(figure.get_figheight() + LINE * (len(wrapped) + math.ceil(len(known) / columns) + 1))


@styled
def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem`.png and `stem`.pdf, whole or not at all, without dates."""
    written = []
    for kind, metadata in METADATA.items():
        path = stem.with_name(f"{stem.name}.{kind}")
        files.write(path, partial(figure.savefig, format=kind, metadata=metadata))
        written.append(path)
    return written
