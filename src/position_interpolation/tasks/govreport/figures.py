"""ROUGE of every writer as bars, and the differences from the last one on the same reports."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import BLUE, DARK, GREY, VERMILION
from position_interpolation.evidence import comparison
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.govreport.tables import (
    LEAD,
    TUNED,
    UNTUNED,
    VARIANTS,
    Writer,
    by_report,
    called,
    documents,
    score,
    writer_of,
)

# Colour, hatching of a bar and marker.
LOOKS = {LEAD: (GREY, None, "o"), UNTUNED: (VERMILION, "//", "s"), TUNED: (BLUE, "..", "D")}


@drawing.styled
def govreport_figure(records: Sequence[Record]) -> Figure:
    """ROUGE of every writer and, below, minus that of the last, paired by report; for a group of `select.summaries`."""
    names_of = called(records)
    *others, last = names_of
    figure, (scores, *apart) = drawing.panels(*[1.5] * (2 if others else 1))
    for writer, name in names_of.items():
        found = {place: score(records, writer, metric) for place, metric in _places(writer, [*names_of])}
        heights = {place: record.value for place, record in found.items() if record is not None}
        shade, hatch, _ = LOOKS[writer.protocol]
        width = 0.72 / len(names_of)
        scores.bar(
            [*heights], [*heights.values()], width, label=name, color=shade, hatch=hatch, edgecolor="white", lw=0
        )
    scores.set_ylabel("F-measure x 100")
    for axes in apart:
        _differences(axes, records, others, last)
        axes.set_ylabel(f"minus that of\n{names_of[last].split(', ')[-1]}")
    for axes in figure.axes:
        axes.set_xticks(range(len(VARIANTS)), list(VARIANTS.values()))
        axes.set_xlim(-0.5, len(VARIANTS) - 0.5)
    bars = "; bars with ends: 95 %, paired by report" if others else ""
    drawing.finish(figure, f"Summaries of {documents(records)}{bars}")
    return figure


def _differences(axes: Axes, records: Sequence[Record], others: Sequence[Writer], last: Writer) -> None:
    axes.axhline(0, color=DARK, linewidth=0.8)
    by_writer = {writer: [row for row in records if writer_of(row) == writer] for writer in (*others, last)}
    for writer in others:
        shade, _, marker = LOOKS[writer.protocol]
        found = {
            place: comparison.difference(*(by_report(by_writer[one], metric) for one in (writer, last)))
            for place, metric in _places(writer, others)
        }
        curve = {place: effect for place, effect in found.items() if effect is not None}
        axes.plot([*curve], [effect.value for effect in curve.values()], marker, color=shade)
        drawing.intervals(axes, curve, shade)


def _places(writer: Writer, among: Sequence[Writer]) -> list[tuple[float, str]]:
    """The horizontal place of each metric of a writer, beside those of the others."""
    shift = (among.index(writer) - (len(among) - 1) / 2) * 0.8 / len(among)
    return [(column + shift, metric) for column, metric in enumerate(VARIANTS)]
