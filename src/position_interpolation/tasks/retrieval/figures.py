"""Harder retrieval by length of the prompt: one panel for each thing that is asked, one line per extension."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.retrieval.tables import Question, questions

GUESS = math.log(1 / 10)


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
