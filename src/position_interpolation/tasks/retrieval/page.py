"""What a page shows of harder retrieval: by what is asked and length of the prompt, for every extension."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

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

SUCCESS = (
    "Harder retrieval: share of right answers, of {} each, the same prompts for every extension; in brackets the 95 % "
    "interval (Wilson). Every prompt with its answer fills its length. Judged are the digits asked for and nothing "
    "else, by one forward; what stands before them whatever they are belongs to the prompt. Empty where the lines have "
    "no room. Chance: of naming one of the prompt's numbers blindly, or all of them in some order."
)
LIKELIHOOD = (
    "Log-likelihood of what is asked for, in nats a digit, mean over trials with Student's t; guessing a digit gives "
    "-2.30."
)
MISTAKES = (
    "Of up to {} each, the share that has another number of the prompt in place of the first that is missed: the wrong "
    "one was found, not none. Written by greedy decoding; in brackets the 95 % interval (Wilson)."
)
BY_DISTANCE = (
    "Share of right answers by distance: tokens from the end of the prompt back to the first digit asked for. In "
    "brackets the 95 % interval (Wilson)."
)
GUESS = math.log(1 / 10)


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success, likelihood and wrong numbers by what is asked and length of the prompt; success by distance."""
    rows = [record for record in records if record.task == "retrieval" and select.plain(record)]
    known = {row.metric for row in rows}
    if "retrieved" not in known:
        return
    table = retrieval_table(rows, "retrieved", rate_text, SUCCESS)
    drawn = {"retrieved": "retrieval", "answer_log_likelihood": "retrieval_log_likelihood"}
    drawings = tuple((stem, partial(retrieval_figure, rows, name)) for name, stem in drawn.items() if name in known)
    folded: tuple[tuple[str, str, Callable[[float], str], str], ...] = (
        ("by the answers' log-likelihood", "answer_log_likelihood", "{:.3f}".format, LIKELIHOOD),
        ("by what wrong answers are", "wrong_number", rate_text, MISTAKES),
    )
    more = [(how, retrieval_table(rows, name, show, said)) for how, name, show, said in folded if name in known]
    if any(row.at is not None for row in rows):
        more.append(("by distance", retrieval_table(rows, "retrieved", rate_text, BY_DISTANCE, by_distance=True)))
    yield Section("Harder retrieval", rows, "retrieval", table, drawings, tuple(more))


@dataclass(frozen=True)
class Question:
    """What a row or a panel is about: what is asked, and in prompts of which length."""

    kind: str
    count: int
    window: int

    @property
    def name(self) -> str:
        """What is asked, for readers."""
        words = {
            "keys": f"1 of {self.count + 1} keys", "values": f"all {self.count} values of a key",
            "pairs": f"1 of {self.count} pairs in a list", "hops": plural(self.count, "hop"),
        }  # fmt: skip
        return words[self.kind]


def by_question(records: Sequence[Record]) -> dict[Question, list[Record]]:
    """Records by what they are about, which is ordered by kind, count and length."""
    found = select.gathered(records, lambda row: Question(row.data["kind"], row.data["count"], row.eval_window or 0))
    order = list(MOST)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[0].kind), item[0].count, item[0].window)))


def retrieval_table(
    records: Sequence[Record], metric: str, show: Callable[[float], str], caption: str, by_distance: bool = False
) -> Table:
    """One metric: one row per question, or per question and distance, and one column per extension.

    `caption` may have a place, {}, for how many trials or wrong answers a number rests on.
    """
    called, found = names(ordered(records)), by_question(records)
    columns = (
        Column("Asked", lambda one, _: one.name),
        Column("Prompt", lambda one, _: one.window),
        Column("Distance up to", lambda _, at: at, optional=True),
        Column("Chance", lambda one, at: _chance(found[one]) if at is None else None, rate_text, optional=True),
        *each(
            called,
            called.__getitem__,
            lambda extension, one, at: select.find(found[one], extension, metric, at=at),
            show,
            measured=True,
        ),
    )
    distances = {one: sorted({row.at for row in rows if row.at is not None}) for one, rows in found.items()}
    keys = [(one, at) for one in found for at in (distances[one] if by_distance else [None])]
    noun = "wrong answer" if metric == "wrong_number" else "trial"
    return fill(keys, columns, caption.format(select.counted([row for row in records if row.metric == metric], noun)))


@drawing.styled
def retrieval_figure(records: Sequence[Record], metric: str) -> Figure:
    """One panel for each thing that is asked: right answers, or their mean log-likelihood, by length of the prompt.

    Beside them stands what naming a number of the prompt, or guessing digits, would give.
    """
    called, found = names(ordered(records)), by_question(records)
    kinds = {one.name: {own.window: rows for own, rows in found.items() if own.name == one.name} for one in found}
    figure, panels = drawing.grid([*kinds], 1.15, "prompt (tokens)")
    for axes, by_window in zip(panels, kinds.values(), strict=True):
        axes.margins(x=0.12)  # room for lines that are moved apart
        for item in called:
            curve = {window: one for window, rows in by_window.items() if (one := select.find(rows, item, metric))}
            drawing.line(axes, curve, item, called)
        drawing.log_ticks(axes, select.windows(records))
        if metric == "retrieved":
            chance = {window: row.value for window, rows in by_window.items() if (row := _chance(rows)) is not None}
            label = "a number of the prompt, blindly"
            axes.plot(list(chance), list(chance.values()), color=GREY, linestyle="--", label=label)
            axes.set_ylim(-0.05, 1.05)
            axes.yaxis.set_major_formatter(drawing.percent)
        else:
            axes.axhline(GUESS, color=GREY, linestyle="--", label=f"guessing a digit: ln(1/10) = {GUESS:.2f}")
    side, bars = {
        "retrieved": ("share of right answers", "Wilson"),
        "answer_log_likelihood": ("log-likelihood of the answer (nats a digit)", "Student's t"),
    }[metric]
    trials = select.counted([row for row in records if row.metric == "retrieved"], "trial")
    edges = ", ".join(map(str, sorted({extension.base_window for extension in called})))
    return drawing.finish(
        figure, f"{trials} each, the same prompts for every line; L = {edges}; bars: 95 %, {bars}", side=side
    )


def _chance(records: Sequence[Record]) -> Record | None:
    """How often a number of the prompt, named blindly, would be right."""
    return next((row for row in records if row.metric == "chance"), None)
