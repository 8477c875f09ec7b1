"""A sweep drawn: a heat map of perplexity by learning rate and steps, one panel per extension."""

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from position_interpolation.comparisons.sweeps.tables import at_own_window, by_rate, family_label, rate, swept
from position_interpolation.display import drawing
from position_interpolation.display.colours import VERMILION
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text


@drawing.styled
def sweep_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at L' in every cell, coloured by its logarithm over the panel's range; the lowest is framed.

    The rows are one group of `select.compared` for which `tables.is_sweep` holds.
    """
    families = swept(rows)
    figure, panels = drawing.panels(*[0.5 + 0.24 * len(by_rate(rows))] * len(families))
    for axes, family in zip(panels, families, strict=True):
        _panel(axes, rows, family)
    documents = select.counted(rows, "document")
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
    heat(axes, known, (len(rates), len(family)), perplexity_text)
    axes.set_xticks(range(len(family)), [str(item.steps) for item in family])
    axes.set_yticks(range(len(rates)), [f"{rate(setting):g}" for setting in rates])
    axes.set(title=family_label(family), xlabel="steps", ylabel="peak learning rate")


def heat(
    axes: Axes,
    known: Mapping[tuple[int, int], float],
    shape: tuple[int, int],
    show: Callable[[float], str],
    lower: bool = True,
    ends: tuple[float, float] | None = None,
) -> None:
    """Coloured cells with their numbers, by row and column; dark is worse, and the best is framed.

    If `lower` is better, as for perplexities, cells are coloured by the logarithm of their number. The colours reach
    over `ends`, by default the panel's own range.
    """
    low, high = ends or (min(known.values()), max(known.values()))
    scale = math.log if lower else float
    cells = [[scale(known.get((row, column), math.nan)) for column in range(shape[1])] for row in range(shape[0])]
    axes.imshow(cells, cmap="cividis_r" if lower else "cividis", aspect="auto", vmin=scale(low), vmax=scale(high))
    best = (min if lower else max)(known.values())
    alike = len(known) > 1 and len(set(known.values())) == 1
    for (row, column), value in known.items():
        dark = (2 * scale(value) > scale(low) + scale(high)) == lower
        axes.text(column, row, show(value), ha="center", va="center", color="white" if dark else "black")
        if value == best and not alike:
            axes.add_patch(Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, fill=False, ec=VERMILION, lw=2.5))
    drawing.cells(axes)
