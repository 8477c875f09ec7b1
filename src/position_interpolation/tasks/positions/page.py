"""What a page shows of perplexity by position inside one long forward."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import DARK, style
from position_interpolation.display.section import Section
from position_interpolation.display.tables import EXTENSION, Table, each, fill
from position_interpolation.evidence import extensions, seeds, select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import Block
from position_interpolation.evidence.words import perplexity_text

Ratios = Mapping[Extension, Mapping[Block, Effect]]
Curves = Mapping[Extension, Mapping[Block, Record]]
RATIO = "perplexity / the base's"


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Perplexity by block of positions, by text and by the length of the forward."""
    found = select.positions(records)
    several = len({group.length for group in found}) > 1
    for group, rows in found.items():
        title, stem = f"Perplexity by position: {group.source} text", "positions"
        if several:
            title, stem = f"{title}, {group.length} tokens", f"positions_{group.length}"
        yield Section(title, rows, stem, positions_table(rows), ((stem, partial(positions_figure, rows)),))


def positions_table(records: Sequence[Record]) -> Table:
    """One row per extension, one column per block of positions, of one group of `select.positions`."""
    curves = {extension: select.by_block(records, extension) for extension in ordered(records)}
    blocks = sorted({block for curve in curves.values() for block in curve})
    columns = (
        *EXTENSION,
        *each(
            blocks,
            lambda block: select.positions_text(*block),
            lambda block, item: curves[item].get(block),
            perplexity_text,
            True,
        ),
    )
    documents = select.counted(records)
    caption = (
        f"Perplexity by block of positions inside one forward, over {documents}; "
        "in brackets the 95 % interval" + (" over segments of that one document." if documents == "1 document" else ".")
    )
    return fill(curves, columns, caption)


@drawing.styled
def positions_figure(records: Sequence[Record]) -> Figure:
    """One group of `select.positions`: one line per extension through the blocks, and the end of the trained window.

    Where the base was measured, panels below show each extension over the base in the same block: past the window L all
    extensions, inside it the tuned ones, if there are any. Where these are too many for one panel, each has its own. Of
    extensions that differ in their steps alone the untuned and the longest tuned are drawn.
    """
    rows = extensions.ends(records)
    called = names(ordered(rows))
    curves = {extension: select.by_block(rows, extension) for extension in called}
    ratios = {
        item: found for item in called if item != item.untouched and (found := seeds.over_base_by_block(rows, item))
    }
    edge, end = max(item.base_window for item in called), max(stop for curve in curves.values() for _, stop in curve)
    apart = len(ratios) >= drawing.MOST
    figure = _apart(ratios, called, edge, end) if apart else _together(curves, ratios, called, edge, end)
    shown = [record for curve in curves.values() for record in curve.values()]
    effects = [effect for found in ratios.values() for effect in found.values()]
    return drawing.finish(
        figure,
        f"{', '.join(dict.fromkeys(item.base for item in curves))}: one forward of {end} tokens, "
        f"{select.counted(shown, 'document')} ({rows[0].data.get('source')} text)"
        + (f"; {drawing.spread(effects, drawing.paired(ratios))}" if effects else "")
        + ("; what is not called tuned is untuned" if apart else ""),
        side=RATIO if apart else "",
    )


def _apart(ratios: Ratios, called: Mapping[Extension, str], edge: int, end: int) -> Figure:
    """A panel for each extension: its ratio to the base, inside L and past it."""
    titles = [called[item].removesuffix(", untuned") for item in ratios]
    figure, panels = drawing.grid(titles, 0.95, "position (tokens)")
    for axes, (extension, effects) in zip(panels, ratios.items(), strict=True):
        axes.axvline(edge, color=DARK, linestyle="--", linewidth=0.8, zorder=0, label=f"L = {edge}")
        drawing.line(axes, _by_middle(effects), extension, called, label="")
    for axes in panels:
        drawing.ratio_axis(axes)
        _ticks(axes, 0, end)
    return figure


def _together(curves: Curves, ratios: Ratios, called: Mapping[Extension, str], edge: int, end: int) -> Figure:
    """All extensions in one panel, and below it their ratios to the base inside and past L."""
    parts = _parts(ratios, edge, end)
    layout: list[Any] = [["whole"] * max(1, len(parts)), *([[*parts]] if parts else [])]
    heights = (1.4, 1.7)[: len(layout)]
    figure = Figure(figsize=(drawing.WIDTH, sum(heights)))
    panels = figure.subplot_mosaic(layout, height_ratios=heights)
    for extension, curve in curves.items():
        values = [record.value for record in curve.values()]
        panels["whole"].plot([*_by_middle(curve)], values, label=called[extension], **style(extension, [*called]))
    if edge < end:
        drawing.mark(panels["whole"], edge)
    drawing.perplexity_axis(panels["whole"])
    _ticks(panels["whole"], 0, end)
    for part, (shown, start, stop) in parts.items():
        for extension, effects in shown.items():
            drawing.line(panels[part], _by_middle(effects), extension, called)
        ends = [effect for found in shown.values() for effect in found.values()]
        drawing.ratio_axis(panels[part], ends)
        _ticks(panels[part], start, stop)
        panels[part].set_title(part)
    for first in [*parts][:1]:
        panels[first].set_ylabel(RATIO)
    for lowest in layout[-1]:
        panels[lowest].set_xlabel("position (tokens)")
    return figure


def _parts(ratios: Ratios, edge: int, end: int) -> dict[str, tuple[Ratios, int, int]]:
    """What the panels of ratios show, by title, and from which position to which."""
    tuned = {item: found for item, found in ratios.items() if item.steps} or ratios
    inside = {item: {block: one for block, one in found.items() if block[0] < edge} for item, found in tuned.items()}
    past = {item: {block: one for block, one in found.items() if block[0] >= edge} for item, found in ratios.items()}
    near = "inside L" if tuned is ratios else "inside L, tuned"
    parts = {near: (inside, 0, min(edge, end)), "past L": (past, edge, end)}
    return {title: part for title, part in parts.items() if any(part[0].values())}


def _by_middle(curve: Mapping[Block, drawing.Point]) -> dict[float, drawing.Point]:
    return {(start + stop) / 2: point for (start, stop), point in curve.items()}


def _ticks(axes: Axes, start: int, stop: int) -> None:
    axes.set(xlim=(start, stop), xticks=[start, (start + stop) // 2, stop])
