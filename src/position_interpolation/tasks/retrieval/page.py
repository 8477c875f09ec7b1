"""What a page shows of harder retrieval: by what is asked and length of the prompt, for every extension."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY
from position_interpolation.display.section import Section
from position_interpolation.display.tables import Column, Table, each, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, rate_text
from position_interpolation.tasks.retrieval.puzzles import MOST

Drawing = tuple[str, Callable[[], Figure]]
CAPTION = (
    "Every prompt with its answer fills its length. Judged are the digits asked for and nothing else, by one forward; "
    "what stands before them whatever they are belongs to the prompt. Empty where the lines have no room. "
)
GUESS = math.log(1 / 10)


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success, likelihood and wrong numbers by what is asked and length of the prompt; success by distance."""
    rows = [record for record in records if record.task == "retrieval" and select.plain(record)]
    known = {row.metric for row in rows}
    if "retrieved" not in known:
        return
    drawings: list[Drawing] = [("retrieval", partial(success_figure, rows))]
    more = []
    if "answer_log_likelihood" in known:
        drawings.append(("retrieval_log_likelihood", partial(likelihood_figure, rows)))
        more.append(("by the answers' log-likelihood", likelihood_table(rows)))
    if "wrong_number" in known:
        more.append(("by what wrong answers are", mistakes_table(rows)))
    if any(row.at is not None for row in rows):
        more.append(("by distance", distance_table(rows)))
    yield Section("Harder retrieval", rows, "retrieval", success_table(rows), tuple(drawings), tuple(more))


@dataclass(frozen=True)
class Question:
    """What a row or a panel is about: what is asked, and in prompts of which length."""

    kind: str
    count: int
    window: int

    @property
    def name(self) -> str:
        """For readers."""
        words = {
            "keys": f"1 of {self.count + 1} keys", "values": f"all {self.count} values of a key",
            "pairs": f"1 of {self.count} pairs in a list", "hops": plural(self.count, "hop"),
        }  # fmt: skip
        return words[self.kind]

    def of(self, records: Sequence[Record]) -> list[Record]:
        """Its records among others."""
        return [row for row in records if question(row) == self]


def question(record: Record) -> Question:
    """What a record is about."""
    return Question(record.data["kind"], record.data["count"], record.eval_window or 0)


def questions(records: Sequence[Record]) -> list[Question]:
    """The questions that some records are about, by kind, count and length."""
    order = list(MOST)
    return sorted(set(map(question, records)), key=lambda one: (order.index(one.kind), one.count, one.window))


def retrieval_table(records: Sequence[Record], metric: str, show: Callable[[float], str], caption: str) -> Table:
    """One metric of all records of the task: one row per question, one column per extension."""
    called = names(ordered(records))
    columns = (
        Column("Asked", lambda one: one.name),
        Column("Prompt", lambda one: one.window),
        Column("Chance", lambda one: next((row for row in one.of(records) if row.metric == "chance"), None), rate_text),
        *each(
            called,
            lambda extension: called[extension],
            lambda extension, one: select.find(one.of(records), extension, metric),
            show,
            measured=True,
        ),
    )
    return fill(questions(records), columns, caption)


def success_table(records: Sequence[Record]) -> Table:
    """How often everything that is asked is written."""
    trials = select.counted([row for row in records if row.metric == "retrieved"], "trial")
    caption = (
        f"Harder retrieval: share of right answers, of {trials} each, the same prompts for every extension; in "
        f"brackets the 95 % interval (Wilson). {CAPTION}Chance: of naming one of the prompt's numbers blindly, or all "
        "of them in some order."
    )
    return retrieval_table(records, "retrieved", rate_text, caption)


def likelihood_table(records: Sequence[Record]) -> Table:
    """How likely the answers are."""
    caption = (
        "Log-likelihood of what is asked for, in nats a digit, mean over trials with Student's t; guessing a digit "
        "gives -2.30."
    )
    return retrieval_table(records, "answer_log_likelihood", "{:.3f}".format, caption)


def mistakes_table(records: Sequence[Record]) -> Table:
    """Whether a wrong answer is another number of the prompt."""
    written = select.counted([row for row in records if row.metric == "wrong_number"], "wrong answer")
    caption = (
        f"Of up to {written} each, the share that has another number of the prompt in place of the first that is "
        "missed: the wrong one was found, not none. Written by greedy decoding; in brackets the 95 % interval (Wilson)."
    )
    return retrieval_table(records, "wrong_number", rate_text, caption)


def distance_table(records: Sequence[Record]) -> Table:
    """How often what is asked for is found by its distance from the prompt's end, where one line says it."""
    called = names(ordered(records))
    found = [row for row in records if row.metric == "retrieved" and row.at is not None]
    columns = (
        Column("Asked", lambda one, *_: one.name),
        Column("Prompt", lambda one, *_: one.window),
        Column("Distance up to", lambda _, distance: distance),
        *each(
            called,
            lambda extension: called[extension],
            lambda extension, one, distance: select.find(one.of(found), extension, "retrieved", at=distance),
            rate_text,
            measured=True,
        ),
    )
    caption = (
        "Share of right answers by distance: tokens from the end of the prompt back to the first digit asked for. In "
        "brackets the 95 % interval (Wilson)."
    )
    return fill(_places(found), columns, caption)


def _places(found: Sequence[Record]) -> Iterator[tuple[Question, int]]:
    for one in questions(found):
        for distance in sorted({row.at for row in one.of(found) if row.at is not None}):
            yield one, distance


@drawing.styled
def success_figure(records: Sequence[Record]) -> Figure:
    """The share of right answers, and what naming a number blindly would give; from all records of the task."""
    figure, panels = _panels(records, "retrieved")
    for axes, asked in panels:
        chance = {one.window: row.value for one in asked for row in one.of(records) if row.metric == "chance"}
        axes.plot(
            list(chance), list(chance.values()), color=GREY, linestyle="--", label="a number of the prompt, blindly"
        )
        axes.set_ylim(-0.05, 1.05)
        axes.yaxis.set_major_formatter(drawing.percent)
    _finish(figure, records, "share of right answers", "bars: 95 %, Wilson")
    return figure


@drawing.styled
def likelihood_figure(records: Sequence[Record]) -> Figure:
    """The answers' mean log-likelihood, which shows more than a success of 0 or 1; from all records of the task."""
    figure, panels = _panels(records, "answer_log_likelihood")
    for axes, _ in panels:
        axes.axhline(GUESS, color=GREY, linestyle="--", label=f"guessing a digit: ln(1/10) = {GUESS:.2f}")
    _finish(figure, records, "log-likelihood of the answer (nats a digit)", "bars: 95 %, Student's t")
    return figure


def _panels(records: Sequence[Record], metric: str) -> tuple[Figure, list[tuple[Axes, list[Question]]]]:
    """One panel per kind and count with a line per extension, and what each panel asks in prompts of each length."""
    kinds: dict[str, list[Question]] = {}
    for one in questions(records):
        kinds.setdefault(one.name, []).append(one)
    called = names(ordered(records))
    figure, axes = drawing.grid(len(kinds), 1.15)
    panels = list(zip(axes, kinds.values(), strict=True))
    for panel, asked in panels:
        panel.set_title(asked[0].name)
        for extension in called:
            found = {one.window: select.find(one.of(records), extension, metric) for one in asked}
            curve = {window: record for window, record in found.items() if record is not None}
            drawing.line(panel, curve, extension, called)
        drawing.log_ticks(panel, select.windows(records))
    return figure, panels


def _finish(figure: Figure, records: Sequence[Record], label: str, bars: str) -> None:
    trials = select.counted([row for row in records if row.metric == "retrieved"], "trial")
    edges = ", ".join(map(str, sorted({extension.base_window for extension in ordered(records)})))
    for lowest in figure.axes[-2:]:
        lowest.set_xlabel("prompt (tokens)")
    drawing.finish(figure, f"{trials} each, the same prompts for every line; L = {edges}; {bars}", side=label)
