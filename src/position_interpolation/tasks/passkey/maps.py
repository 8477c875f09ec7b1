"""The needle in a haystack: success by length of the prompt and depth of the key in it, a panel an extension."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from position_interpolation.display.colours import VERMILION
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, extension_of, names
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.passkey.figures import SUCCESS_COLOURS

FEWEST = 3  # lengths that make a map
WIDTH, PANEL, MARGINS = 4.2, 2.1, 1.0  # inches; printed 8 cm wide, ten points are seven and a half


def mapped(rows: Sequence[Record]) -> dict[Extension, list[int]]:
    """The extensions asked in prompts of at least three lengths, in the paper's order, with these lengths."""
    lengths: dict[Extension, list[int]] = {}
    for extension, window in select.asked(rows):
        lengths.setdefault(extension, []).append(window)
    return {extension: asked for extension, asked in lengths.items() if len(asked) >= FEWEST}


def longest(rows: Sequence[Record]) -> list[Record]:
    """The records less the shorter prompts of a map."""
    most = {extension: max(lengths) for extension, lengths in mapped(rows).items()}
    return [
        row for row in rows if (item := extension_of(row)) is None or row.eval_window == most.get(item, row.eval_window)
    ]


def map_figure(rows: Sequence[Record], rule: str) -> Figure:
    """One panel an extension, narrow enough for a column of text.

    Args:
        rows: one group of `rules.passkeys` in which `mapped` finds some.
        rule: by which answers were judged.
    """
    panels = mapped(rows)
    called = names(list(panels))
    figure = Figure(figsize=(WIDTH, MARGINS + PANEL * len(panels)), layout="constrained")
    trials = 0
    for axes, (extension, lengths) in zip(
        figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True
    ):
        for place, length in enumerate(lengths):
            rates = select.by_distance(rows, extension, length)
            trials = max([trials, *(record.n_documents or 0 for record in rates.values())])
            _draw_column(axes, place, length, rates)
        edge = _edge(axes, lengths, extension.base_window)
        axes.set_title(called[extension] + edge, fontsize="medium", loc="left")
        axes.set_xticks(range(len(lengths)), list(map(str, lengths)))
        axes.set_xlim(-0.5, len(lengths) - 0.5)
        axes.set_ylim(1, 0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    axes.set_xlabel("length of the prompt (tokens)")
    figure.supylabel("depth of the key in the prompt", fontsize="medium")
    shades = ScalarMappable(Normalize(0, 1), colormaps[SUCCESS_COLOURS])
    bar = figure.colorbar(shades, ax=figure.axes, location="bottom", fraction=0.04, aspect=30)
    bar.set_label(f"success rate, {plural(trials, 'trial')} a cell, rule {rule}")
    bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def _draw_column(axes: Axes, place: int, length: int, rates: dict[int, Record]) -> None:
    """The prompts of one length: a key at distance k stands for those from the distance before it on."""
    nearer = 0
    for distance, record in rates.items():
        shade = colormaps[SUCCESS_COLOURS](record.value)
        height, top = (distance - nearer) / length, 1 - distance / length
        axes.bar(place, height, 1, bottom=top, color=shade, edgecolor="white", linewidth=0.5)
        nearer = distance


def _edge(axes: Axes, lengths: Sequence[int], window: int) -> str:
    """A line between prompts that the base's own window holds and those that it does not, and what to say of it."""
    inside = sum(length <= window for length in lengths)
    if not 0 < inside < len(lengths):
        return ""
    axes.axvline(inside - 0.5, color=VERMILION, linestyle="--", linewidth=1.5)
    return f"; dashed: L = {window}"
