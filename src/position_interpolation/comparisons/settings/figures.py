"""A sweep drawn: a heat map of perplexity by learning rate and steps, one panel an extension."""

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from position_interpolation.comparisons.settings.tables import at_own_window, by_rate, family_label, rate, swept
from position_interpolation.display.colours import VERMILION
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, plural

COLOURS = "cividis_r"  # dark is worse; made to read the same with colour blindness


def sweep_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at L' in every cell, coloured by its logarithm in the panel's own range; the lowest is framed.

    Args:
        rows: one group of `select.compared` for which `settings_tables.is_sweep` holds.
    """
    families = list(swept(rows).values())
    rates = by_rate(rows)
    width, height = 1.2 + 1.1 * max(map(len, families)), 1.6 + 0.5 * len(rates)
    figure = Figure(figsize=(max(7, width * len(families)), height), layout="constrained")
    panels = figure.subplots(1, len(families), squeeze=False)[0]
    for axes, family in zip(panels, families, strict=True):
        _panel(axes, rows, family)
        axes.set_yticks(range(len(rates)), [f"{rate(setting):g}" for setting in rates])
        axes.set_title(family_label(family), fontsize="medium")
    panels[0].set_ylabel("peak learning rate")
    documents = max(record.n_documents or 0 for record in rows)
    figure.suptitle(
        f"perplexity at the own window L', {plural(documents, 'document')}; framed: the lowest of a panel",
        fontsize="small",
        color="0.35",
    )
    return figure


def _panel(axes: Axes, rows: Sequence[Record], family: Sequence[Extension]) -> None:
    rates = by_rate(rows)
    cells = {
        (row, column): record.value
        for row, setting in enumerate(rates)
        for column, item in enumerate(family)
        if (record := at_own_window(rows, item, setting)) is not None
    }
    image = [
        [math.log(cells.get((row, column), math.nan)) for column in range(len(family))] for row in range(len(rates))
    ]
    axes.imshow(image, cmap=colormaps[COLOURS], aspect="auto")
    worst, best = max(cells.values()), min(cells.values())
    for (row, column), value in cells.items():
        share = math.log(value / best) / (math.log(worst / best) or 1.0)
        shade = "white" if share > 0.5 else "black"
        axes.text(column, row, perplexity_text(value), ha="center", va="center", color=shade, fontsize="small")
        if value == best:
            axes.add_patch(
                Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, fill=False, edgecolor=VERMILION, linewidth=2.5)
            )
    axes.set_xticks(range(len(family)), [str(item.steps) for item in family])
    axes.set_xlabel("steps")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
