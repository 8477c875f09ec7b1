"""ROUGE of every writer as bars."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from position_interpolation.display.colours import BLUE, GREY, VERMILION
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.govreport.tables import LEAD, TUNED, UNTUNED, VARIANTS, called, documents, score

COLOURS = {LEAD: GREY, UNTUNED: VERMILION, TUNED: BLUE}


def govreport_figure(records: Sequence[Record]) -> Figure:
    """ROUGE of every writer as bars with 95 % intervals.

    Args:
        records: one group of `select.summaries`.
    """
    names_of = called(records)
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / max(1, len(names_of))
    for place, (writer, name) in enumerate(names_of.items()):
        found = {column: score(records, writer, metric) for column, metric in enumerate(VARIANTS)}
        shift = (place - (len(names_of) - 1) / 2) * width
        bars = {column + shift: record for column, record in found.items() if record is not None}
        label, shade = name, COLOURS[writer.protocol]
        axes.bar(list(bars), [record.value for record in bars.values()], 0.9 * width, color=shade, label=label)
        for middle, record in bars.items():
            if record.ci_low is not None and record.ci_high is not None:
                axes.plot([middle] * 2, [record.ci_low, record.ci_high], color="black", linewidth=1, marker="_")
    axes.set_xticks(range(len(VARIANTS)), list(VARIANTS.values()))
    axes.set_ylabel("F-measure x 100")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    figure.suptitle(
        f"Summaries of {documents(records)}; bars: 95 % bootstrap over documents", fontsize="small", color="0.35"
    )
    return figure
