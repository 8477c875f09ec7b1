"""ROUGE of every writer as bars."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import BLACK, BLUE, GREY, VERMILION
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.govreport.tables import LEAD, TUNED, UNTUNED, VARIANTS, called, documents, score

# Colour, and hatching for print without it.
LOOKS = {LEAD: (GREY, None), UNTUNED: (VERMILION, "//"), TUNED: (BLUE, None)}


@drawing.styled
def govreport_figure(records: Sequence[Record]) -> Figure:
    """One group of `select.summaries`: ROUGE of every writer as bars with 95 % intervals."""
    figure, (axes,) = drawing.panels(2.4)
    names_of = called(records)
    width = 0.8 / max(1, len(names_of))
    for place, (writer, name) in enumerate(names_of.items()):
        shift = (place - (len(names_of) - 1) / 2) * width
        found = {column + shift: score(records, writer, metric) for column, metric in enumerate(VARIANTS)}
        bars = {middle: record for middle, record in found.items() if record is not None}
        heights, (shade, hatch) = [record.value for record in bars.values()], LOOKS[writer.protocol]
        axes.bar([*bars], heights, 0.9 * width, label=name, color=shade, hatch=hatch, edgecolor="white", linewidth=0)
        drawing.intervals(axes, bars, BLACK)
    axes.set_xticks(range(len(VARIANTS)), list(VARIANTS.values()))
    axes.set_ylabel("F-measure x 100")
    drawing.finish(figure, f"Summaries of {documents(records)}; bars: 95 % bootstrap over documents")
    return figure
