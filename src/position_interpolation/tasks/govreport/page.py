"""What a page shows of summaries: the layout of Table 6 with the paper's rows below ours, and ROUGE drawn."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import DARK, GREY, colour
from position_interpolation.display.section import Section
from position_interpolation.display.tables import Table, each, fill
from position_interpolation.evidence import comparison, paper, select
from position_interpolation.evidence.extensions import base_name, extension_of, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import OVER_DOCUMENTS, plural, whole
from position_interpolation.tasks.govreport.config import LEAD, TUNED, UNTUNED

VARIANTS = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "rougeLsum": "ROUGE-Lsum"}
WAYS = {UNTUNED: "no summaries seen", TUNED: "fine-tuned on summaries"}
LEADS = "the report's first tokens"
# Hatching of a bar and marker, in the order of tables and figures. The colour is that of the method.
LOOKS = {LEAD: (None, "o"), UNTUNED: ("//", "s"), TUNED: ("..", "D")}

LETTERS = 26  # characters that fit the height of a panel


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """ROUGE by writer, by text."""
    for group, rows in select.summaries(records).items():
        title, draw = f"Summaries of reports: {group.source} text", partial(govreport_figure, rows)
        yield Section(title, rows, "govreport", govreport_table(rows), (("govreport", draw),))


class Writer(NamedTuple):
    """Who wrote summaries: an extension of a base, or nobody, and what it is called."""

    base: str
    window: int | None  # in which the report is read
    name: str
    colour: str


def by_writer(records: Sequence[Record]) -> dict[Writer, list[Record]]:
    """Scores by writer: the report's first tokens, then each extension without and with tuning on summaries.

    First tokens that are the same in several windows are there once.
    """
    among = ordered(records)
    called = names(among)

    def rank(record: Record) -> tuple[Any, ...]:
        extension, way = extension_of(record), [*LOOKS].index(str(record.protocol))
        return () if extension is None else extension.rank, way, record.eval_window or 0

    def writer(record: Record) -> Writer:
        extension, base = extension_of(record), base_name(record.model, record.base_tokens)
        if extension is None:
            return Writer(base, record.eval_window, LEADS, GREY)
        name = f"{called[extension]}, {WAYS[str(record.protocol)]}"
        return Writer(base, record.eval_window, name, colour(extension, among))

    scored = (record for record in records if record.metric not in select.SUMMARY_TUNING)
    found: dict[Writer, list[Record]] = {}
    for one, rows in select.gathered(sorted(scored, key=rank), writer).items():
        same = (other for other in found if (other.base, other.name) == (one.base, LEADS))
        if one.name != LEADS or all(_values(found[other]) != _values(rows) for other in same):
            found[one] = rows
    named = Counter((one.base, one.name) for one in found)
    return {
        one._replace(name=f"{one.name}, in {one.window}") if named[one.base, one.name] > 1 else one: rows
        for one, rows in found.items()
    }


def _values(records: Sequence[Record]) -> set[tuple[str, str, float]]:
    """Every score of one writer."""
    return {(record.metric, str(record.data.get("ids")), record.value) for record in records}


def by_report(records: Iterable[Record], metric: str) -> dict[str, float]:
    """ROUGE of one writer's summary of every report, by id."""
    return {record.document: record.value for record in records if record.metric == f"document_{metric}"}


def govreport_table(records: Sequence[Record]) -> Table:
    """ROUGE of every writer, with the paper's rows below, of one group of `select.summaries`."""
    ours = [
        {"Model": writer.base, "Window": writer.window, "Method": writer.name} | {row.metric: row for row in rows}
        for writer, rows in by_writer(records).items()
    ]
    columns = (
        *each(("Model", "Window", "Method"), str, lambda name, row: row[name]),
        *each(VARIANTS, VARIANTS.__getitem__, lambda metric, row: row.get(metric), "{:.1f}".format, measured=True),
    )
    return fill([*ours, *_printed()], columns, _caption(records))


def _printed() -> list[dict[str, Any]]:
    """Table 6, one row per model."""
    return [
        {"Model": f"paper: {row['model']}", "Window": f"{row['window'] // 1024}K", "Method": WAYS[TUNED]}
        | dict(zip(VARIANTS, row["rouge"], strict=False))  # it has no ROUGE-Lsum
        for row in paper.printed()["table6_govreport"]["rows"]
    ]


def documents(records: Sequence[Record]) -> str:
    """How many reports, of which source."""
    shown = [record for record in records if record.metric in VARIANTS]
    return f"{select.counted(shown, 'report')} ({shown[0].data.get('source')} text)"


def _caption(records: Sequence[Record]) -> str:
    written = [record for record in records if record.metric in VARIANTS and record.protocol != LEAD]
    tokens = {(record.n_tokens or 0) / (record.n_documents or 1) for record in written}
    counts = " to ".join(dict.fromkeys(map(whole, (min(tokens), max(tokens))))) if tokens else ""
    length = f" of {counts} tokens on average" if counts else ""
    return (
        f"ROUGE (F-measure x 100, stemmed) of summaries{length} of {documents(records)} against whole reference "
        f"summaries. {_tuning(records)}{OVER_DOCUMENTS} The paper does not say which of the last two its ROUGE-L is."
    )


def _tuning(records: Sequence[Record]) -> str:
    """A sentence on the second stage, if one was measured."""
    counts = sorted({(row.n_documents or 0, row.value) for row in records if row.metric == "summary_steps"})
    stages = " or ".join(f"{plural(pairs, 'pair')} in {plural(round(steps), 'step')}" for pairs, steps in counts)
    return f"Fine-tuned on {stages}. " if stages else ""


@drawing.styled
def govreport_figure(records: Sequence[Record]) -> Figure:
    """ROUGE of every writer and, below, minus that of the last, paired by report; for a group of `select.summaries`."""
    writers = by_writer(records)
    *others, last = writers
    figure, (scores, *apart) = drawing.panels(*[1.5] * (2 if others else 1))
    for writer, rows in writers.items():
        values = {row.metric: row.value for row in rows}
        heights = {place: values[metric] for place, metric in _places(writer, [*writers]) if metric in values}
        hatch, _ = LOOKS[str(rows[0].protocol)]
        look: dict[str, Any] = {"color": writer.colour, "hatch": hatch, "edgecolor": "white", "lw": 0}
        scores.bar([*heights], [*heights.values()], 0.72 / len(writers), label=writer.name, **look)
    scores.set_ylabel("F-measure x 100")
    for axes in apart:
        _differences(axes, writers)
        axes.set_ylabel(textwrap.fill(f"minus that of {last.name}", LETTERS))
    for axes in figure.axes:
        axes.set_xticks(range(len(VARIANTS)), list(VARIANTS.values()))
        axes.set_xlim(-0.5, len(VARIANTS) - 0.5)
    bars = "; bars with ends: 95 %, paired by report" if others else ""
    return drawing.finish(figure, f"Summaries of {documents(records)}{bars}")


def _differences(axes: Axes, writers: dict[Writer, list[Record]]) -> None:
    axes.axhline(0, color=DARK, linewidth=0.8)
    *others, last = writers
    for writer in others:
        _, marker = LOOKS[str(writers[writer][0].protocol)]
        found = {
            place: comparison.difference(*(by_report(writers[one], metric) for one in (writer, last)))
            for place, metric in _places(writer, others)
        }
        curve = {place: effect for place, effect in found.items() if effect is not None}
        axes.plot([*curve], [effect.value for effect in curve.values()], marker, color=writer.colour)
        drawing.intervals(axes, curve, writer.colour)


def _places(writer: Writer, among: Sequence[Writer]) -> list[tuple[float, str]]:
    """The horizontal place of each metric of a writer, beside those of the others."""
    shift = (among.index(writer) - (len(among) - 1) / 2) * 0.8 / len(among)
    return [(column + shift, metric) for column, metric in enumerate(VARIANTS)]
