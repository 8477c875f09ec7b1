"""Several seeds of tuning as one number: the mean over the seeds, with an interval that covers documents and seeds.

The documents are the same under every seed, so their part of the interval does not shrink with more seeds. The seeds'
own part is Student's t of their mean. The two are independent, so the squares of their half-widths are added.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Effect, Losses
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.intervals import NORMAL, Estimate, half_width, wilson
from position_interpolation.evidence.k_max import LONGEST, SUCCESS, THRESHOLD, k_max
from position_interpolation.evidence.records import Record

# Their means are of logarithms.
LOGARITHMIC = ("perplexity", select.BLOCK_PERPLEXITY, select.OF_ALL_WINDOWS, "key_perplexity", "all_perplexity")
# Standard deviation over seeds of the logarithm of a ratio of perplexities of two models, one or both of them tuned:
# from eight pairs of seeds of PI against extrapolation after 80 steps (results/base_tokens/tiny).
KNOWN_SPREAD = 0.0123
RATES = (SUCCESS, "retrieved", "wrong_number")  # of trials
Found = TypeVar("Found")


def pooled(records: Iterable[Record]) -> list[Record]:
    """One record for all seeds of a number, in place of the first; `seed` is then None and `data` names the seeds.

    What was measured under one seed stays as it is. So do records of compared settings and of stopped bases, whose
    pages show each seed.
    """

    def number(record: Record) -> str:
        return (replace(record, seed=None) if select.plain(record) else record).identity

    found = [rows[0] if len(rows) == 1 else _mean(rows) for rows in select.gathered(records, number).values()]
    successes = [one for one in found if one.metric == SUCCESS and one.at is not None and one.seed is None]
    return [_k_max_of_all(one, successes) if (one.metric, one.seed) == (LONGEST, None) else one for one in found]


def aligned(sides: Sequence[Mapping[int | None, Found]], tuned: Sequence[bool]) -> list[list[Found]]:
    """What every side has, for each seed that all tuned sides have; what is untuned is the same under every seed."""
    seeds = [set(side) for side, by_seed in zip(sides, tuned, strict=True) if by_seed]
    shared = set.intersection(*seeds) if seeds else {next(iter(sides[0]))}
    return [[side.get(seed) or next(iter(side.values())) for side in sides] for seed in sorted(shared, key=str)]


def products(
    seeds: Sequence[tuple[Sequence[Losses], Sequence[Losses]]], same_tokens: bool = True, vary: bool = False
) -> Effect | None:
    """`comparison.products` of every seed as one ratio; None if a seed has no common document.

    If seeds `vary` the ratio, the interval of a single seed is widened by `of_one_seed`.
    """
    ratios = [one for sides in seeds if (one := comparison.products(*sides, same_tokens)) is not None]
    if not ratios or len(ratios) < len(seeds):
        return None
    if len(ratios) == 1:
        return of_one_seed(ratios[0]) if vary else ratios[0]
    over, under = ([averaged(losses) for losses in zip(*side, strict=True)] for side in zip(*seeds, strict=True))
    whole = comparison.products(over, under, same_tokens)  # its interval covers the documents alone
    if whole is None or whole.low is None or whole.high is None:
        return whole
    logarithms = [math.log(one.value) for one in ratios]
    value = float(np.mean(logarithms))
    documents = Estimate(value, value - math.log(whole.value / whole.low), value + math.log(whole.high / whole.value))
    found = documents.widened(half_width(logarithms)).mapped(math.exp)
    return replace(whole, value=found.value, low=found.low, high=found.high)


def of_one_seed(effect: Effect) -> Effect:
    """A ratio that rests on one seed of tuning, its interval widened by the known spread of seeds."""
    found = effect.mapped(math.log).widened(NORMAL * KNOWN_SPREAD).mapped(math.exp)
    return replace(effect, low=found.low, high=found.high)


Side = tuple[Extension, int]  # an extension, read at a window


def over_base(rows: Sequence[Record], item: Extension, window: int) -> Effect | None:
    """Perplexity at a window over that of the base at L: see `ratio`."""
    return ratio(rows, (item, window), (item.untouched, item.base_window))


def ratio(rows: Sequence[Record], over: Side, under: Side) -> Effect | None:
    """Ratio of two perplexities, paired by document and by seed of tuning; None if both share no document or seed.

    What is untuned is the same under every seed. Where there is one seed of tuning, the interval is widened by
    `of_one_seed`.
    """
    sides = over, under
    found, tuned = [losses_by_seed(rows, *side) for side in sides], [bool(item.steps) for item, _ in sides]
    if not all(found):
        return None
    pairs = [([above], [below]) for above, below in aligned(found, tuned)]
    return products(pairs, same_tokens=over[1] == under[1], vary=any(tuned))


def losses_by_seed(rows: Sequence[Record], item: Extension, window: int) -> dict[int | None, Losses]:
    """The losses of each document at a window, for every seed that has them."""
    by_seed = select.gathered(rows, lambda row: row.seed)
    found = {seed: comparison.document_losses(own, item, window) for seed, own in by_seed.items()}
    return {seed: losses for seed, losses in found.items() if losses}


def over_base_by_block(rows: Sequence[Record], item: Extension) -> dict[select.Block, Effect]:
    """Perplexity in each block of positions over that of the base there; blocks without the base are left out.

    There is no interval if no document has both. The rows are one group of `select.positions`.
    """
    base = select.by_block(rows, item.untouched)
    found = {}
    for block, record in select.by_block(rows, item).items():
        if block not in base:
            continue
        both = (comparison.stretch(rows, one, {block[0]}).documents for one in (item, item.untouched))
        effect = comparison.paired(*both)
        if effect is None:
            effect = Effect(record.value / base[block].value, documents=record.n_documents or 0)
        found[block] = of_one_seed(effect) if item.steps else effect
    return found


def _mean(rows: Sequence[Record]) -> Record:
    """One record for all seeds of a number."""
    first = rows[0]
    mean = _mean_rate(rows) if first.metric in RATES else _mean_value(rows)
    data = {**first.data, "seeds": sorted(row.seed for row in rows if row.seed is not None)}
    found = replace(first, value=mean.value, ci_low=mean.low, ci_high=mean.high, seed=None, data=data)
    if first.data.get("ids") is not None or first.metric == select.TRAINING_LOSS:
        return found
    # Prompts are made: each seed asked its own.
    prompts, tokens = sum(row.n_documents or 0 for row in rows), sum(row.n_tokens or 0 for row in rows)
    return replace(found, n_documents=prompts, n_tokens=tokens)


def _mean_rate(rows: Sequence[Record]) -> Estimate:
    """A rate. Its interval covers the seeds, and the trials of all seeds counted together."""
    rates, counts = [row.value for row in rows], [row.n_documents or 0 for row in rows]
    hits = round(sum(rate * count for rate, count in zip(rates, counts, strict=True)))
    found = replace(wilson(hits, sum(counts)), value=float(np.mean(rates))).widened(half_width(rates))
    return found.mapped(lambda share: min(1.0, max(0.0, share)))


def _mean_value(rows: Sequence[Record]) -> Estimate:
    """Any number but a rate; its interval covers seeds and the mean interval of a seed, if every seed has one."""
    to, back = (math.log, math.exp) if rows[0].metric in LOGARITHMIC else (float, float)
    values = [to(row.value) for row in rows]
    ends = [(to(row.ci_low), to(row.ci_high)) for row in rows if row.ci_low is not None and row.ci_high is not None]
    interval = (float(np.mean(side)) for side in zip(*ends, strict=True)) if len(ends) == len(rows) else ()
    return Estimate(float(np.mean(values)), *interval).widened(half_width(values)).mapped(back)


def _k_max_of_all(longest: Record, successes: Sequence[Record]) -> Record:
    """k_max of all seeds' trials together, as if they were of one seed; left as it is where no trials are recorded."""
    own = [one for one in successes if one.measurement == longest.measurement]
    if not own:
        return longest
    trials = own[0].n_documents or 0
    wins = {one.at or 0: round(one.value * trials) for one in own}
    found = k_max(wins, trials, longest.data.get("threshold", THRESHOLD))
    return replace(longest, value=found.value, ci_low=found.low, ci_high=found.high)


def averaged(losses: Sequence[Losses]) -> Losses:
    """Each document's mean loss over seeds; a document that some seed lacks is left out."""
    common = set.intersection(*(set(one) for one in losses))
    return {name: (float(np.mean([one[name][0] for one in losses])), losses[0][name][1]) for name in sorted(common)}
