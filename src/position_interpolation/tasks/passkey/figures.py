"""Passkey retrieval drawn: success and log-likelihood by distance, and by length of the prompt and depth of the key."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY, VERMILION
from position_interpolation.evidence import extensions, select
from position_interpolation.evidence.extensions import Extension, extension_of, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import whole

SHADES = colormaps["cividis"]  # colours of success, which look the same with colour blindness
DISTANCE = "distance k of the key from the prompt's end (tokens)"
CROWDED = 8  # times the shortest prompt, from which on lines by distance crowd at the left
FEWEST = 3  # lengths that make a map


@drawing.styled
def passkey_figure(records: Sequence[Record], rule: str) -> Figure:
    """Success rate by extension (rows) and distance k of the passkey (columns), of one group of `rules.passkeys`.

    Of extensions that differ in their steps alone the untuned and the longest tuned are drawn. Table 4's own figure has
    the others.
    """
    records = extensions.ends(records)
    asked = select.asked(records)
    called = names([extension for extension, _ in asked])
    lengths = Counter(extension for extension, _ in asked)  # of the prompts that an extension was asked in
    farthest = max(window for _, window in asked)
    figure, (axes,) = drawing.panels(0.9 + 0.34 * len(asked))
    for row, (extension, window) in enumerate(asked):
        rates = select.by_distance(records, extension, window)
        edges = [0, *rates]  # a cell reaches back to the distance before its own
        axes.barh([row] * len(rates), np.diff(edges), 0.5, edges[:-1], color=_shades(rates), linewidth=0)
        if extension.base_window < window:
            axes.vlines(extension.base_window, row - 0.25, row + 0.25, color=VERMILION, linestyle=":")
        name = called[extension].replace(", tuned ", ", ") + (f", in {window}" if lengths[extension] > 1 else "")
        axes.text(0, row - 0.28, name, va="bottom")
        _mark_longest(axes, row, select.find(records, extension, "k_max", window), farthest)
    axes.set(xlim=(0, farthest), ylim=(len(asked) - 0.6, -0.8), yticks=[], xlabel=DISTANCE)
    axes.set_xticks([farthest * part // 4 for part in range(5)])
    drawing.cells(axes)
    rates_bar(figure)
    dotted = sorted({extension.base_window for extension, window in asked if extension.base_window < window})
    trials = select.trials([row for row in records if row.metric == "success" and row.at is not None])
    return drawing.finish(
        figure,
        f"Passkey retrieval, rule {rule}, in prompts as long as the bars, {trials} at each distance; "
        "thick marks and, at the right, numbers: k_max, in brackets its 95 % interval"
        + (f"; dotted: L = {', '.join(map(str, dotted))}" if dotted else ""),
    )


@drawing.styled
def likelihood_figure(records: Sequence[Record], rule: str) -> Figure:
    """The key's mean log-likelihood by distance, one line per extension; it shows more than a success of 0 or 1.

    Where an extension was asked in prompts of several lengths, all but the longest are dotted. Where there are too many
    lines for one panel, rivals that lie over each other, or a line in a corner, each has a panel of its own.
    """
    called, asked = names(ordered(records)), select.asked(records)
    longest = {extension: max(w for one, w in asked if one == extension) for extension in called}
    nearest, farthest = min(window for _, window in asked), max(window for _, window in asked)
    apart = len(asked) > drawing.MOST or farthest > CROWDED * nearest or select.has_rivals(records)
    labels = [called[item] + (f", in {window}" if window != item.window else "") for item, window in asked]
    if apart:
        titles = [label.replace(", untuned", "") for label in labels]
        figure, panels = drawing.grid(titles, 0.95, "distance k (tokens)")
    else:
        figure, panels = drawing.panels(2.2)
        panels[0].set_xlabel(DISTANCE)
    for place, (extension, window) in enumerate(asked):
        found = select.by_distance(records, extension, window, "key_log_likelihood")
        # Markers as far apart on every line, at least two, and none where another line has one.
        every = max(1, min(math.ceil(len(found) * farthest / (8 * window)), len(found) // 2))
        look: dict[str, Any] = {"label": "" if apart else labels[place]}
        look["markevery"] = (place * every // len(asked), every)
        look |= {} if window == longest[extension] else {"linestyle": ":"}
        drawing.line(panels[place if apart else 0], found, extension, called, **look)
    guess = math.log(1 / 10)
    for axes in panels:
        axes.axhline(guess, color=GREY, linestyle="--", label=f"guessing a digit: ln(1/10) = {guess:.2f}")
        axes.set_xlim(-0.04 * farthest, 1.04 * farthest)
    panels[-1].margins(y=0.12)
    rows = [record for record in records if record.at is not None]
    few = max(record.n_documents or 0 for record in rows) < drawing.FEW
    return drawing.finish(
        figure,
        f"mean over {select.trials(rows)} at each distance k, rule {rule}, in prompts as long as the own window if no "
        f"other is named; {'what is not called tuned is untuned; ' if apart else ''}"
        + ("too few trials for intervals" if few else "bars: 95 %, Student's t"),
        side="log-likelihood of the key (nats a digit)",
    )


def rates_bar(figure: Figure) -> None:
    """A bar below all panels that explains the colours of success, as high on every figure."""
    colours = ScalarMappable(Normalize(0, 1), SHADES)
    share = 0.08 / (figure.get_figheight() - 0.8)
    bar = figure.colorbar(
        colours, ax=figure.axes, location="bottom", fraction=share, aspect=30, label="success rate", ticks=[0, 0.5, 1]
    )
    bar.ax.xaxis.set_major_formatter(drawing.percent)


def _mark_longest(axes: Axes, row: int, longest: Record | None, farthest: int) -> None:
    """A mark where unbroken retrieval ends, and k_max with its interval at the right."""
    if longest is not None:
        low, high = longest.ci_low, longest.ci_high
        interval = "" if low is None or high is None else f" [{whole(low)}, {whole(high)}]"
        axes.text(farthest, row - 0.28, f"{whole(longest.value)}{interval}", ha="right", va="bottom")
        axes.vlines(longest.value, row - 0.25, row + 0.32, color=VERMILION, linewidth=2.5, clip_on=False)


def mapped(rows: Sequence[Record]) -> dict[Extension, list[int]]:
    """The extensions that were asked in prompts of at least three lengths, in the paper's order, with these lengths.

    None beside rivals: the base was then asked in prompts of each of their windows, and stands beside them at each.
    """
    if select.has_rivals(rows):
        return {}
    lengths: dict[Extension, list[int]] = {}
    for extension, window in select.asked(rows):
        lengths.setdefault(extension, []).append(window)
    return {extension: asked for extension, asked in lengths.items() if len(asked) >= FEWEST}


def of_longest_prompts(rows: Sequence[Record]) -> list[Record]:
    """The records without the shorter prompts of a map."""
    shorter = {(item, length) for item, lengths in mapped(rows).items() for length in lengths if length < max(lengths)}
    return [row for row in rows if (extension_of(row), row.eval_window) not in shorter]


@drawing.styled
def map_figure(rows: Sequence[Record], rule: str) -> Figure:
    """One panel per extension, of one group of `rules.passkeys` in which `mapped` finds some."""
    maps = mapped(rows)
    called = names(list(maps))
    figure, panels = drawing.panels(*[1.7] * len(maps))
    for axes, (extension, lengths) in zip(panels, maps.items(), strict=True):
        for place, length in enumerate(lengths):
            rates = select.by_distance(rows, extension, length)
            heights, depths = np.diff([0, *rates]) / length, 1 - np.array([*rates]) / length
            look: dict[str, Any] = {"color": _shades(rates), "edgecolor": "white", "linewidth": 0.2}
            axes.bar([place] * len(rates), heights, 1, depths, **look)
        axes.set_title(called[extension] + _edge(axes, lengths, extension.base_window))
        axes.set_xticks(range(len(lengths)), list(map(str, lengths)))
        axes.set(xlim=(-0.5, len(lengths) - 0.5), ylim=(1, 0))
        axes.yaxis.set_major_formatter(drawing.percent)
        drawing.cells(axes)
    panels[-1].set_xlabel("length of the prompt (tokens)")
    rates_bar(figure)
    trials = select.trials([row for row in rows if row.metric == "success" and row.at is not None])
    caption = f"Passkey retrieval, rule {rule}, {trials} a cell"
    return drawing.finish(figure, caption, side="depth of the key in the prompt")


def _shades(rates: dict[int, Record]) -> list[Any]:
    return [SHADES(record.value) for record in rates.values()]


def _edge(axes: Axes, lengths: Sequence[int], window: int) -> str:
    """Draw a line between prompts that fit the base's own window and those that do not; return what explains it."""
    inside = sum(length <= window for length in lengths)
    if not 0 < inside < len(lengths):
        return ""
    axes.axvline(inside - 0.5, color=VERMILION, linestyle="--", linewidth=1.5)
    return f"; dashed: L = {window}"
