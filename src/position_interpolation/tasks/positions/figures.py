"""Perplexity by position inside one long forward."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from position_interpolation.display.colours import VERMILION
from position_interpolation.display.drawing import line, tick
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural


def positions_figure(records: Sequence[Record]) -> Figure:
    """Perplexity by position inside one long forward, with the end of the trained window.

    Args:
        records: one group of `select.positions`.
    """
    extensions = ordered(records)
    called = names(extensions)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    curves = {extension: select.by_block(records, extension) for extension in extensions}
    for extension, curve in curves.items():
        middles = [(start + stop) / 2 for start, stop in curve]
        line(axes, [*curve.values()], middles, extension, extensions, called[extension])
    edges = sorted({edge for curve in curves.values() for block in curve for edge in block})
    for window in sorted({extension.base_window for extension in extensions}):
        axes.axvline(window, color=VERMILION, linestyle="--", linewidth=1.2, label=f"end of the window, L = {window}")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(tick))
    axes.yaxis.set_minor_formatter(FuncFormatter(tick))
    axes.set_xticks(edges if len(edges) <= 12 else edges[:: math.ceil(len(edges) / 12)])
    axes.set_xlabel("position (tokens)")
    axes.set_ylabel("perplexity")
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    models = ", ".join(dict.fromkeys(extension.base for extension in extensions))
    documents = max(record.n_documents or 0 for record in records)
    axes.set_title(
        f"{models}: one forward of {edges[-1]} tokens, {plural(documents, 'document')} "
        f"({records[0].data.get('source')} text); bars: 95 % intervals",
        fontsize="small",
        color="0.35",
    )
    return figure
