"""Checks of bases stopped early: whether PI is ahead at L' however many tokens the base was trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from position_interpolation.comparisons.base_tokens import tables
from position_interpolation.comparisons.base_tokens.tables import Base, Treatment
from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Losses, exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import ALIKE, Bar, Case, number, percent
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, thousands

AHEAD = Bar("below", 1.0, ALIKE)
UNTOLD = ("no difference", "within noise", "not measured")


def pi_ahead(evidence: Evidence, tuned: bool) -> Iterator[Case]:
    """Untuned PI against the base, or tuned PI against extrapolation tuned as long: a case a base and step count."""
    for rows in select.stopped(evidence.records).values():
        for ours, other in _pairs(rows):
            if bool(ours.steps) == tuned:
                yield from (_ahead(rows, base, ours, other) for base in tables.bases(rows))


def order_turns(evidence: Evidence, tuned: bool) -> Iterator[Case]:
    """How often the order turns from one base to the next, of those on which it can be told: a case a step count."""
    for rows in select.stopped(evidence.records).values():
        for ours, other in _pairs(rows):
            if bool(ours.steps) == tuned:
                yield _turns(rows, ours, other)


def _pairs(rows: Sequence[Record]) -> Iterator[tuple[Treatment, Treatment]]:
    """PI with the extrapolation of the same window and steps; untuned, that is the base itself."""
    known = tables.treatments(rows)
    bases = [item for item in known if item.method == "none"]
    for ours in (item for item in known if item.method == "pi"):
        others = [replace(ours, method="extrapolation")] if ours.steps else bases
        yield from ((ours, other) for other in others if other in known)


def _ahead(rows: Sequence[Record], base: Base, ours: Treatment, other: Treatment) -> Case:
    """Documents are paired, their losses averaged over the seeds of both; the interval takes in every single seed."""
    sides = [
        [_losses(rows, base, treatment, ours.window, seed) for treatment in (ours, other)]
        for seed in tables.seeds(rows)
    ]
    both = [(left, right) for left, right in sides if left and right]
    after = f"{plural(ours.steps, 'step')}" if ours.steps else "no tuning"
    name = f"base after {thousands(base.tokens)} tokens, {after}: PI at {ours.window}"
    found = None
    if both:
        left, right = (_averaged(side) for side in zip(*both, strict=True))
        found = comparison.paired(left, right)
    if found is not None:
        alone = [one.value for left, right in both if (one := comparison.paired(left, right)) is not None]
        wins = f"ahead under {sum(value < 1 for value in alone)} of {plural(len(alone), 'seed')}"
        found = replace(found, sources=(rows[0].experiment,), detail=f"{wins}, {plural(found.documents, 'document')}")
        if found.low is not None and found.high is not None:
            found = replace(found, low=min(found.low, *alone), high=max(found.high, *alone))
    return Case(name, found, AHEAD, percent)


def _losses(rows: Sequence[Record], base: Base, treatment: Treatment, window: int, seed: int) -> Losses:
    own = [record for record in rows if record.seed == seed]
    return comparison.document_losses(own, tables.extension(base, treatment), window)


def _averaged(seeds: Sequence[Losses]) -> Losses:
    """Each document's mean over seeds; documents that a seed lacks are left out."""
    common = set.intersection(*(set(losses) for losses in seeds))
    return {name: (sum(losses[name][0] for losses in seeds) / len(seeds), seeds[0][name][1]) for name in sorted(common)}


def _turns(rows: Sequence[Record], ours: Treatment, other: Treatment) -> Case:
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
