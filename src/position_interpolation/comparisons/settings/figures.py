"""A sweep drawn: a heat map of perplexity by learning rate and steps, one panel an extension."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from position_interpolation.comparisons.settings.tables import at_own_window, by_rate, family_label, rate, swept
from position_interpolation.display import drawing
from position_interpolation.display.colours import VERMILION
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text


@drawing.styled
def sweep_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at L' in every cell, coloured by its logarithm in the panel's own range; the lowest is framed.

    The rows are one group of `select.compared` for which `tables.is_sweep` holds.
    """
    families = swept(rows)
    figure, panels = drawing.panels(*[0.6 + 0.3 * len(by_rate(rows))] * len(families))
    for axes, family in zip(panels, families, strict=True):
        _panel(axes, rows, family)
    documents = drawing.count(rows, "document")
    drawing.finish(figure, f"Perplexity at the own window L', {documents}; framed: the lowest of a panel")
    return figure


def _panel(axes: Axes, rows: Sequence[Record], family: Sequence[Extension]) -> None:
    rates = by_rate(rows)
    known = {
        (row, column): record.value
        for row, setting in enumerate(rates)
        for column, item in enumerate(family)
        if (record := at_own_window(rows, item, setting)) is not None
    }
    places = [[(row, column) for column in range(len(family))] for row in range(len(rates))]
    logarithms = [[math.log(known.get(place, math.nan)) for place in row] for row in places]
    axes.imshow(logarithms, cmap="cividis_r", aspect="auto")  # dark is worse
    best, worst = min(known.values()), max(known.values())
    for (row, column), value in known.items():
        shade = "white" if value**2 > best * worst else "black"
        axes.text(column, row, perplexity_text(value), ha="center", va="center", color=shade)
        if value == best:
            axes.add_patch(Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, fill=False, ec=VERMILION, lw=2.5))
    axes.set_xticks(range(len(family)), [str(item.steps) for item in family])
    axes.set_yticks(range(len(rates)), [f"{rate(setting):g}" for setting in rates])
    axes.set(title=family_label(family), xlabel="steps", ylabel="peak learning rate")
    drawing.cells(axes)
