"""Zero-shot benchmarks drawn: what each extension changes against its base, on the same questions."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY, VERMILION, colour, style
from position_interpolation.evidence import select
from position_interpolation.evidence.comparison import recorded
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.benchmarks.tables import TITLES, asked, find, printed_change

CLAIMED = -0.02  # "up to 2 %" at 4 L


@drawing.styled
def changes_figure(records: Sequence[Record]) -> Figure:
    """Change of accuracy and of the margin by set, one marker per extension, for one table of `tables.by_sample`."""
    sets = asked(records)
    compared = ordered(record for record in records if record.metric == "accuracy_change")
    height = 0.5 + 0.11 * len(sets) * max(3, 1 + len(compared))
    figure, (accuracy, margin) = drawing.panels(height, height)
    _panel(accuracy, records, compared, "accuracy_change", 100)
    _panel(margin, records, compared, "margin_change", 1)
    printed = {
        _place(row, extension, compared): 100 * change
        for row, name in enumerate(sets)
        for extension in compared
        if (change := printed_change(extension, name)) is not None
    }
    if printed:
        accuracy.plot([*printed.values()], [*printed], "x", color=GREY, label="the paper's Table 5", zorder=3)
    accuracy.axvline(100 * CLAIMED, color=VERMILION, linestyle="--", label='the paper\'s "up to 2 %" at 4 L')
    accuracy.set_xlabel("change of accuracy (percentage points)")
    margin.set_xlabel("change of the margin (nats a byte)")
    drawing.finish(
        figure, "Extension minus base at the base's window, same questions; bars: 95 % paired bootstrap over questions"
    )
    return figure


def _panel(axes: Axes, records: Sequence[Record], compared: Sequence[Extension], metric: str, unit: float) -> None:
    """Markers and intervals of one number for each set, around a line at no change."""
    sets, called = asked(records), names(compared)
    for extension in compared:
        found = {
            _place(row, extension, compared): recorded(record).scaled(unit)
            for row, name in enumerate(sets)
            if (record := find(records, extension, name, metric)) is not None
        }
        look = {**style(extension, compared), "linestyle": ""}
        axes.plot([record.value for record in found.values()], [*found], label=called[extension], **look)
        drawing.intervals(axes, found, colour(extension, compared), across=True)
    counts = [select.counted([record for record in records if record.task == name], "question") for name in sets]
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_yticks(range(len(sets)), [f"{TITLES[name]}\n{count}" for name, count in zip(sets, counts, strict=True)])
    axes.set_ylim(len(sets) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(False, axis="y")
    axes.grid(axis="x")
    axes.axvline(0, color=GREY, linewidth=1, zorder=0)


def _place(row: int, extension: Extension, compared: Sequence[Extension]) -> float:
    return row + 0.7 * ((compared.index(extension) + 0.5) / len(compared) - 0.5)
