"""When PI's advantage appears: perplexity and k_max against the training tokens of the base."""

import math
from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.base_tokens import tables
from position_interpolation.comparisons.base_tokens.tables import Treatment
from position_interpolation.display import drawing
from position_interpolation.display.colours import colour, style
from position_interpolation.evidence.records import Record


@drawing.styled
def base_tokens_figure(rows: Sequence[Record], metric: str = "perplexity") -> Figure:
    """One line a treatment through the means over seeds, one small point a seed.

    The rows are one group of `select.stopped`, or for `k_max` the passkey records of such bases by one rule.
    """
    window = tables.compared_window(rows)
    figure, (axes,) = drawing.panels(2.6)
    for treatment in tables.treatments(rows):
        _draw(axes, rows, treatment, metric, window)
    tokens = [base.tokens for base in tables.bases(rows)]
    drawing.log_ticks(axes, tokens, [f"{count / 1e6:g} M" for count in tokens])
    axes.set_xlabel("training tokens of the base")
    if metric == "perplexity":
        drawing.perplexity_axis(axes)
        rule, unit = "", "document"
    else:
        axes.set_ylabel("k_max (tokens)")
        rule, unit = f", rule {rows[0].protocol}", "trial"
    count = drawing.count([record for record in rows if record.metric == metric], unit)
    drawing.finish(
        figure,
        f"{rows[0].model} at a window of {window}, {count}{rule}; lines through means over seeds, points single seeds",
    )
    return figure


def _draw(axes: Axes, rows: Sequence[Record], treatment: Treatment, metric: str, window: int) -> None:
    bases = tables.bases(rows)
    alike = [tables.extension(bases[0], other) for other in tables.treatments(rows)]
    this = tables.extension(bases[0], treatment)
    means: list[tuple[float, float]] = []
    for base in bases:
        item = tables.extension(base, treatment)
        values = [record.value for record in tables.by_seed(rows, item, metric, window).values()]
        if values:
            axes.plot([base.tokens] * len(values), values, ".", color=colour(this, alike), alpha=0.5)
            means.append((base.tokens, _mean(values, metric)))
    if means:
        label = "none" if this.method == "none" else this.label
        axes.plot(*zip(*means, strict=True), label=label, **style(this, alike))


def _mean(values: Sequence[float], metric: str) -> float:
    """Of perplexities the mean of the losses behind them."""
    return math.exp(fmean(map(math.log, values))) if metric == "perplexity" else fmean(values)
