"""Perplexity by position inside one long forward."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import names, ordered
from position_interpolation.evidence.records import Record


@drawing.styled
def positions_figure(records: Sequence[Record]) -> Figure:
    """One group of `select.positions`: a line an extension through the blocks, with the end of the trained window."""
    called = names(ordered(records))
    curves = {extension: select.by_block(records, extension) for extension in called}
    figure, (axes,) = drawing.panels(2.6)
    for extension, curve in curves.items():
        by_middle = {(start + stop) / 2: record for (start, stop), record in curve.items()}
        drawing.line(axes, by_middle, extension, called, records)
    for window in sorted({extension.base_window for extension in called}):
        drawing.mark(axes, window)
    edges = sorted({edge for curve in curves.values() for block in curve for edge in block})
    axes.set(xlabel="position (tokens)", xticks=edges[:: math.ceil(len(edges) / 6)])
    drawing.perplexity_axis(axes)
    shown = [record for curve in curves.values() for record in curve.values()]
    drawing.finish(
        figure,
        f"{', '.join(dict.fromkeys(item.base for item in called))}: one forward of {edges[-1]} tokens, "
        f"{drawing.count(shown, 'document')} ({shown[0].data.get('source')} text); "
        + drawing.spread(shown, "bars: 95 % intervals"),
    )
    return figure
