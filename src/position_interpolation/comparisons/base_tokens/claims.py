"""Checks of bases stopped early: whether PI is ahead at L' however many tokens the base was trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from position_interpolation.comparisons.base_tokens import pairs, tables
from position_interpolation.comparisons.base_tokens.tables import Base
from position_interpolation.evidence import select
from position_interpolation.evidence.comparison import exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.judging import ALIKE, Bar, Case, number, percent
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, thousands

AHEAD = Bar("below", 1.0, ALIKE)
UNTOLD = ("no difference", "within noise", "not measured")


def pi_ahead(evidence: Evidence, tuned: bool) -> Iterator[Case]:
    """Untuned PI against the base, or tuned PI against extrapolation tuned as long; a case per base and step count."""
    for rows in select.stopped(evidence.records).values():
        for ours, other in pairs.pairs(rows):
            if bool(ours.steps) == tuned:
                yield from (_ahead(rows, base, ours, other) for base in tables.bases(rows))


def order_turns(evidence: Evidence, tuned: bool) -> Iterator[Case]:
    """How often the order turns from one base to the next, of those that tell the two apart; a case per step count."""
    for rows in select.stopped(evidence.records).values():
        for ours, other in pairs.pairs(rows):
            if bool(ours.steps) == tuned:
                yield _turns(rows, ours, other)


def _ahead(rows: Sequence[Record], base: Base, ours: Extension, other: Extension) -> Case:
    after = f"{plural(ours.steps, 'step')}" if ours.steps else "no tuning"
    name = f"base after {thousands(base.tokens)} tokens, {after}: PI at {ours.window}"
    return Case(name, pairs.ratio(rows, base, ours, other), AHEAD, percent)


def _turns(rows: Sequence[Record], ours: Extension, other: Extension) -> Case:
    singles = {base: _ahead(rows, base, ours, other) for base in tables.bases(rows)}
    told = {base: case.verdict == "holds" for base, case in singles.items() if case.verdict not in UNTOLD}
    places = [f"between {one.name} and {next_.name}" for one, next_ in pairwise(told) if told[one] != told[next_]]
    name = f"{plural(ours.steps, 'step')}: turns of the order" if ours.steps else "no tuning: turns of the order"
    effect = None
    if any(case.effect for case in singles.values()):
        detail = ", ".join(f"{'ahead' if ahead else 'behind'} on {base.name}" for base, ahead in told.items())
        effect = exact(len(places), rows[0].experiment, "; ".join([*places, f"PI is {detail}"] if told else places))
        if len(told) < 2:
            effect = replace(effect, low=None, high=None, detail="fewer than two bases tell the two apart")
    return Case(name, effect, Bar("at least", 1), number)
