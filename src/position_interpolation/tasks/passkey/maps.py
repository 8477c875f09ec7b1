"""The needle in a haystack: success by length of the prompt and depth of the key in it, one panel per extension."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import VERMILION
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, extension_of, names
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.passkey.figures import SHADES, rates_bar

FEWEST = 3  # lengths that make a map


def mapped(rows: Sequence[Record]) -> dict[Extension, list[int]]:
    """The extensions that were asked in prompts of at least three lengths, in the paper's order, with these lengths."""
    lengths: dict[Extension, list[int]] = {}
    for extension, window in select.asked(rows):
        lengths.setdefault(extension, []).append(window)
    return {extension: asked for extension, asked in lengths.items() if len(asked) >= FEWEST}


def longest(rows: Sequence[Record]) -> list[Record]:
    """The records without the shorter prompts of a map."""
    most = {extension: max(lengths) for extension, lengths in mapped(rows).items()}
    return [
        row for row in rows if (item := extension_of(row)) is None or row.eval_window == most.get(item, row.eval_window)
    ]


@drawing.styled
def map_figure(rows: Sequence[Record], rule: str) -> Figure:
    """One panel per extension, of one group of `rules.passkeys` in which `mapped` finds some."""
    maps = mapped(rows)
    called = names(list(maps))
    figure, panels = drawing.panels(*[1.7] * len(maps))
    for axes, (extension, lengths) in zip(panels, maps.items(), strict=True):
        for place, length in enumerate(lengths):
            _draw_column(axes, place, length, select.by_distance(rows, extension, length))
        axes.set_title(called[extension] + _edge(axes, lengths, extension.base_window))
        axes.set_xticks(range(len(lengths)), list(map(str, lengths)))
        axes.set(xlim=(-0.5, len(lengths) - 0.5), ylim=(1, 0))
        axes.yaxis.set_major_formatter(drawing.percent)
        drawing.cells(axes)
    panels[-1].set_xlabel("length of the prompt (tokens)")
    rates_bar(figure, "success rate")
    trials = select.trials([row for row in rows if row.metric == "success" and row.at is not None])
    caption = f"Passkey retrieval, rule {rule}, {trials} a cell"
    drawing.finish(figure, caption, side="depth of the key in the prompt")
    return figure


def _draw_column(axes: Axes, place: int, length: int, rates: dict[int, Record]) -> None:
    """The prompts of one length: the cell of a distance reaches back to the distance before it."""
    nearer = 0
    for distance, record in rates.items():
        height, top, shade = (distance - nearer) / length, 1 - distance / length, SHADES(record.value)
        axes.bar(place, height, 1, bottom=top, color=shade, edgecolor="white", linewidth=0.2)
        nearer = distance


def _edge(axes: Axes, lengths: Sequence[int], window: int) -> str:
    """Draw a line between prompts that fit the base's own window and those that do not; return what explains it."""
    inside = sum(length <= window for length in lengths)
    if not 0 < inside < len(lengths):
        return ""
    axes.axvline(inside - 0.5, color=VERMILION, linestyle="--", linewidth=1.5)
    return f"; dashed: L = {window}"
