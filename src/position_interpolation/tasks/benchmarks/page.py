"""What a page shows of zero-shot benchmarks: accuracy in the layout of Table 5, and each extension against its base."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY, VERMILION, colour, style
from position_interpolation.display.section import Section
from position_interpolation.display.tables import EXTENSION, Column, Table, each, fill
from position_interpolation.evidence import paper, select
from position_interpolation.evidence.comparison import recorded
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import rate_text, thousands, whole
from position_interpolation.tasks.benchmarks.questions import SETS

TITLES = {"boolq": "BoolQ", "piqa": "PIQA", "race_middle": "RACE-M", "race_high": "RACE-H", "winogrande": "WinoGrande"}
YES = 2033 / 3270  # share of BoolQ's validation questions whose answer is yes
RULES = {
    "accuracy": "the choice with the largest summed log-likelihood is the answer",
    "accuracy_normalised": "the choice with the largest log-likelihood per byte is the answer",
}
CHANGES = (
    "Extension minus base on the same questions, with the 95 % interval of a paired bootstrap over questions. Margin: "
    "mean log-likelihood per byte of the right choice minus that of the best wrong one. Context cut: questions that "
    "did not fit the window and lost their beginning. +0.0 [+0.0, +0.0] says that no verdict changed, not that none "
    "could. Paper: differences of Table 5, PI tuned on the Pile."
)


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Accuracy by set, and the paired changes against the base."""
    for rows in by_sample(records):
        changed = any(record.metric == "accuracy_change" for record in rows)
        drawings = (("benchmark_changes", partial(changes_figure, rows)),) if changed else ()
        normalised = "answers chosen by log-likelihood a byte", accuracy_table(rows, "accuracy_normalised")
        title = "Zero-shot benchmarks at the base's window"
        yield Section(title, rows, "benchmarks", accuracy_table(rows), drawings, (normalised,))
        if changed:
            title = "Zero-shot benchmarks: each extension against its base"
            yield Section(title, rows, "changes", changes_table(rows), ())


def asked(records: Sequence[Record]) -> list[str]:
    """The sets that some records measure, in the paper's order."""
    return [name for name in SETS if any(record.task == name for record in records)]


def find(records: Sequence[Record], extension: Extension, name: str, metric: str) -> Record | None:
    """The record of one number of one set, or None if it was not measured."""
    return select.find([record for record in records if record.task == name], extension, metric)


def printed_accuracy(extension: Extension, name: str) -> Record | None:
    """The accuracy in the paper's Table 5."""
    return paper.beside(extension, name, "accuracy", extension.base_window)


def printed_change(extension: Extension, name: str) -> float | None:
    """The change of accuracy against the base, as a share of one, that follows from the paper's Table 5."""
    own, other = printed_accuracy(extension, name), printed_accuracy(extension.untouched, name)
    return None if own is None or other is None else own.value - other.value


def points(value: float) -> str:
    """A share of one in per cent, as the paper prints accuracies."""
    return f"{100 * value:.1f}"


def points_changed(value: float) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return f"{100 * value:+.1f}"


def accuracy_table(records: Sequence[Record], metric: str = "accuracy") -> Table:
    """The layout of Table 5, for one table of `by_sample`: extensions by sets, the paper's numbers behind ours."""
    sets = asked(records)
    printed = sets if metric == "accuracy" else []  # its numbers are not repeated beside `accuracy_normalised`
    columns = (
        *EXTENSION,
        *each(sets, TITLES.__getitem__, lambda name, item: find(records, item, name, metric), points, measured=True),
        *each(
            printed,
            lambda name: f"paper {TITLES[name]}",
            lambda name, item: printed_accuracy(item, name),
            points,
            optional=True,
        ),
    )
    table = fill(ordered(records), columns)
    return replace(table, caption=_caption(records, metric, table.beside_paper))


def changes_table(records: Sequence[Record]) -> Table:
    """Extension minus base on the same questions: one row per extension and set, for one table of `by_sample`."""
    called = names(ordered(records))

    def ours(metric: str, extension: Extension, name: str) -> Record | None:
        return find(records, extension, name, metric)

    rows = product(ordered(records), asked(records))
    accuracies = {row: found for row in rows if (found := find(records, *row, "accuracy_change"))}
    columns = (
        Column("Extension", lambda extension, _: called[extension]),
        Column("Set", lambda _, name: TITLES[name]),
        Column("Questions", lambda *row: accuracies[row].n_documents, thousands),
        Column("Accuracy, points", lambda *row: accuracies[row], points_changed, measured=True),
        Column("Margin, nats a byte", partial(ours, "margin_change"), "{:+.4f}".format, measured=True),
        Column("Context cut", partial(ours, "truncated"), rate_text, measured=True),
        Column("paper accuracy", printed_change, points_changed),
    )
    return fill(accuracies, columns, CHANGES)


def _caption(records: Sequence[Record], metric: str, beside_paper: bool) -> str:
    sets = asked(records)
    counts = {name: max(record.n_documents or 0 for record in records if record.task == name) for name in sets}
    windows = ", ".join(map(whole, select.windows(records)))
    chance = ", ".join(f"{100 / SETS[name]:.0f}" for name in sets)
    caption = (
        f"Zero-shot accuracy in per cent at the base's window of {windows} tokens; {records[0].data.get('source')} "
        f"text, {', '.join(f'{TITLES[name]} {thousands(count)}' for name, count in counts.items())} questions; "
        f"{RULES[metric]}. In brackets the 95 % Wilson interval. Chance: {chance} %"
        + (f"; always answering yes gets {100 * YES:.0f} % of BoolQ." if "boolq" in sets else ".")
    )
    if beside_paper:
        caption += (
            f" Paper: Table 5, LLaMA {paper.sizes(ordered(records))}, PI tuned 1000 steps on the Pile; it states no "
            "harness, so numbers compare within ours and within the paper's only."
        )
    return caption


def by_sample(records: Iterable[Record]) -> list[list[Record]]:
    """Records of zero-shot benchmarks, one list per table. A table has one sample of the questions of each set."""
    samples: dict[tuple[object, ...], list[str | None]] = {}
    found: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        if record.task in SETS and not select.varied(record):
            where = record.data.get("source"), record.seed
            text = record.data.get("sha256")
            known = samples.setdefault((*where, record.task), [])
            if text not in known:
                known.append(text)
            found.setdefault((*where, known.index(text)), []).append(record)
    return list(found.values())


@drawing.styled
def changes_figure(records: Sequence[Record]) -> Figure:
    """Change of accuracy and of the margin by set, one marker per extension, for one table of `by_sample`."""
    sets = asked(records)
    changed = ordered(record for record in records if record.metric == "accuracy_change")
    height = 0.5 + 0.11 * len(sets) * max(3, 1 + len(changed))
    figure, (accuracy, margin) = drawing.panels(height, height)
    _panel(accuracy, records, changed, "accuracy_change", 100)
    _panel(margin, records, changed, "margin_change", 1)
    printed = {
        _place(row, extension, changed): 100 * change
        for row, name in enumerate(sets)
        for extension in changed
        if (change := printed_change(extension, name)) is not None
    }
    if printed:
        accuracy.plot([*printed.values()], [*printed], "x", color=GREY, label="the paper's Table 5", zorder=3)
    accuracy.axvline(-2, color=VERMILION, linestyle="--", label='the paper\'s "up to 2 %" at 4 L')
    accuracy.set_xlabel("change of accuracy (percentage points)")
    margin.set_xlabel("change of the margin (nats a byte)")
    return drawing.finish(
        figure, "Extension minus base at the base's window, same questions; bars: 95 % paired bootstrap over questions"
    )


def _panel(axes: Axes, records: Sequence[Record], changed: Sequence[Extension], metric: str, unit: float) -> None:
    """Markers and intervals of one number for each set, around a line at no change."""
    sets, called = asked(records), names(changed)
    for extension in changed:
        found = {
            _place(row, extension, changed): recorded(record).scaled(unit)
            for row, name in enumerate(sets)
            if (record := find(records, extension, name, metric)) is not None
        }
        look = {**style(extension, changed), "linestyle": ""}
        axes.plot([record.value for record in found.values()], [*found], label=called[extension], **look)
        drawing.intervals(axes, found, colour(extension, changed), across=True)
    counts = {name: select.counted([record for record in records if record.task == name], "question") for name in sets}
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_yticks(range(len(sets)), [f"{TITLES[name]}\n{count}" for name, count in counts.items()])
    axes.set_ylim(len(sets) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(False, axis="y")
    axes.grid(axis="x")
    axes.axvline(0, color=GREY, linewidth=1, zorder=0)


def _place(row: int, extension: Extension, changed: Sequence[Extension]) -> float:
    return row + 0.7 * ((changed.index(extension) + 0.5) / len(changed) - 0.5)
