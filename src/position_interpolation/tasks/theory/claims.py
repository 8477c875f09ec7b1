"""Checks of section 2 and appendix A: bounds on scores, and what Figures 2 and 5 show. No model is involved."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from position_interpolation.evidence import paper
from position_interpolation.evidence.comparison import Effect, exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Bar, Case, Kind, number, times
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.theory.bounds import EXTENDED, HEAD_DIM, PLOTTED, audit
from position_interpolation.tasks.theory.numbers import figure_5_rows

TASK = "theory"


@cache
def formulas() -> tuple[Record, ...]:
    """Section 2 with the paper's own d = 128 and c = 10000, on the spans of Figure 5, as records of the paper.

    Figure 2 has no number that could be read off it.
    """
    found, extended = audit(HEAD_DIM), audit(HEAD_DIM, spans=EXTENDED)
    stated = figure_5_rows()
    numbers: dict[tuple[str, int | None, int | None], float] = {
        **{(metric, None, None): stated[metric] for metric in ("smallest_ratio", "factor_printed", "factor_corrected")},
        ("printed_bound", HEAD_DIM, PLOTTED): found.printed_bound,
        ("corrected_bound", HEAD_DIM, PLOTTED): found.corrected_bound,
        ("worst_midpoint_deviation", HEAD_DIM, PLOTTED): found.worst_midpoint_deviation,
        ("smallest_ratio", HEAD_DIM, EXTENDED): extended.smallest_ratio,
    }
    return tuple(
        paper.record("formulas of section 2", TASK, metric, value, at=head_dim, eval_window=window)
        for (metric, head_dim, window), value in numbers.items()
    )


def ratio(
    evidence: Evidence, name: str, over: str, under: str | None = None, kind: Kind = "at most", limit: float = 1.0,
    head_dim: int | None = None, window: int | None = None,
) -> Iterator[Case]:  # fmt: skip
    """A number of section 2, the metric `over`, by itself or divided by the metric `under`.

    It is one that Figures 2 and 5 state or, given a head dimension, one of the audit over the spans of `window` tokens.
    """
    effect = quotient(evidence, TASK, over, under, at=head_dim, window=window)
    yield Case(name, effect, Bar(kind, limit), times if under or over.startswith("factor") else number)


def every_dimension(
    evidence: Evidence, over: str, kind: Kind, limit: float, under: str | None = None
) -> Iterator[Case]:
    """A number of the audit, by itself or over another, one case per head dimension."""
    dimensions = {record.at for rows in evidence.of(TASK) for record in rows if record.at is not None}
    for dimension in sorted(dimensions):
        effect = quotient(evidence, TASK, over, under, at=dimension, window=PLOTTED)
        if effect is not None:
            yield Case(f"head dimension {dimension}", replace(effect, detail=""), Bar(kind, limit), number)


def quotient(evidence: Evidence, task: str, over: str, under: str | None, **where: Any) -> Effect | None:
    """The metric `over` of a task, by itself or divided by the metric `under`; None if either was not measured.

    `where` says of which model, at which place and over which window, as `Evidence.number` takes it.
    """
    effect = evidence.number(task, over, **where)
    if under is None or effect is None:
        return effect
    second = evidence.number(task, under, **where)
    if second is None:
        return None
    return exact(effect.value / second.value, effect.sources[0], f"{effect.value:.5g} over {second.value:.5g}")
