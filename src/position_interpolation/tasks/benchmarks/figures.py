"""Zero-shot benchmarks drawn: what each extension changes against its base, on the same questions."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from position_interpolation.display.colours import GREY, VERMILION, colour
from position_interpolation.display.drawing import style
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import thousands
from position_interpolation.tasks.benchmarks.tables import TITLES, asked, find, printed_change

CLAIMED = -0.02  # "up to 2 %" at 4 L


def changes_figure(records: Sequence[Record]) -> Figure:
    """Change of accuracy and of the margin by set, one marker an extension, with 95 % intervals.

    Args:
        records: one table of `tables.by_sample`.
    """
    sets = asked(records)
    compared = ordered(record for record in records if record.metric == "accuracy_change")
    figure = Figure(figsize=(11, 1.6 + 0.22 * len(sets) * (1 + len(compared))), layout="constrained")
    accuracy, margin = figure.subplots(1, 2, sharey=True)
    _panel(accuracy, records, compared, "accuracy_change", lambda value: 100 * value)
    _panel(margin, records, compared, "margin_change", lambda value: value)
    shown = _printed(accuracy, sets, compared)
    accuracy.axvline(100 * CLAIMED, color=VERMILION, linestyle="--", linewidth=1.2)
    accuracy.set_xlabel("change of accuracy (percentage points)")
    margin.set_xlabel("change of the margin (nats a byte)")
    counts = [max(record.n_documents or 0 for record in records if record.task == name) for name in sets]
    labels = [f"{TITLES[name]}\n{thousands(count)} questions" for name, count in zip(sets, counts, strict=True)]
    accuracy.set_yticks(range(len(sets)), labels)
    accuracy.set_ylim(len(sets) - 0.5, -0.5)

    called = names(compared)
    handles = [Line2D([], [], label=called[item], **{**style(item, compared), "linestyle": ""}) for item in compared]
    handles.append(Line2D([], [], color=VERMILION, linestyle="--", label='the paper\'s "up to 2 %" at 4 L'))
    if shown:
        handles.append(Line2D([], [], color=GREY, marker="x", linestyle="", label="the paper's Table 5"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), frameon=False)
    figure.suptitle(
        "Extension minus base at the base's window, same questions; bars: 95 % paired bootstrap over questions",
        fontsize="small",
        color="0.35",
    )
    return figure


def _panel(
    axes: Axes,
    records: Sequence[Record],
    compared: Sequence[Extension],
    metric: str,
    scaled: Callable[[float], float],
) -> None:
    """Markers and intervals of one number, set below set, around a line at no change."""
    axes.axvline(0, color=GREY, linewidth=1, zorder=0)
    for row, name in enumerate(asked(records)):
        for extension in compared:
            record = find(records, extension, name, metric)
            if record is None:
                continue
            place = _place(row, extension, compared)
            axes.plot(scaled(record.value), place, **{**style(extension, compared), "linestyle": ""})
            if record.ci_low is not None and record.ci_high is not None:
                ends = [scaled(record.ci_low), scaled(record.ci_high)]
                axes.plot(ends, [place] * 2, color=colour(extension, compared), marker="|", linewidth=1.5)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _printed(axes: Axes, sets: Sequence[str], compared: Sequence[Extension]) -> bool:
    """Crosses where the paper's own numbers would stand; whether there are any."""
    found = [
        (100 * change, _place(row, extension, compared))
        for row, name in enumerate(sets)
        for extension in compared
        if (change := printed_change(extension, name)) is not None
    ]
    if found:
        axes.plot(*zip(*found, strict=True), color=GREY, marker="x", linestyle="", zorder=3)
    return bool(found)


def _place(row: int, extension: Extension, compared: Sequence[Extension]) -> float:
    return row + 0.7 * ((compared.index(extension) + 0.5) / len(compared) - 0.5)
