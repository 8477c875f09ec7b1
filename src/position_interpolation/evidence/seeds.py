"""Several seeds of tuning as one number: the mean over the seeds, with an interval that covers documents and seeds.

The documents are the same under every seed, so their part of the interval does not shrink with more seeds. The seeds'
own part is Student's t of their mean. The two are independent, so the squares of their half-widths are added.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Effect, Losses
from position_interpolation.evidence.extensions import Extension, extension_of
from position_interpolation.evidence.intervals import half_width, k_max, wilson
from position_interpolation.evidence.records import Record

# Their means are of logarithms.
LOGARITHMIC = ("perplexity", select.BLOCK_PERPLEXITY, select.OF_ALL_WINDOWS, "key_perplexity", "all_perplexity")
SUCCESS, LONGEST = "success", "k_max"
# Standard deviation over seeds of the logarithm of a ratio of perplexities of two models, one or both of them tuned:
# from eight pairs of seeds of PI against extrapolation after 80 steps (results/base_tokens/tiny).
KNOWN_SPREAD = 0.0072
NORMAL = 1.96  # two-sided, 95 %
RATES = (SUCCESS, "retrieved", "wrong_number")  # of trials
THRESHOLD = 0.2  # of success, where a record does not name it


def pooled(records: Iterable[Record]) -> list[Record]:
    """One record for all seeds of a number, in place of the first; `seed` is then None and `data` names the seeds.

    What was measured under one seed stays as it is. So do records of compared settings and of stopped bases, whose
    pages show each seed.
    """
    alike: dict[str, list[Record]] = {}
    for record in records:
        anonymous = replace(record, seed=None) if select.plain(record) else record
        alike.setdefault(anonymous.identity, []).append(record)
    found = {key: rows[0] if len(rows) == 1 else _mean(rows) for key, rows in alike.items()}
    successes = [one for one in found.values() if one.metric == SUCCESS and one.at is not None and one.seed is None]
    return [_retrieved(one, successes) if (one.metric, one.seed) == (LONGEST, None) else one for one in found.values()]


def combined(value: float, within: tuple[float, float], values: Sequence[float]) -> tuple[float, float]:
    """Ends of an interval about `value`, the mean of some seeds' values; those `within` cover documents or trials."""
    return _widened(value, within, half_width(values))


def _widened(value: float, within: tuple[float, float], half: float) -> tuple[float, float]:
    """An interval about a value, with an independent half-width added to each side, as squares."""
    low, high = within
    return value - math.hypot(value - low, half), value + math.hypot(high - value, half)


def products(seeds: Sequence[tuple[Sequence[Losses], Sequence[Losses]]], same_tokens: bool = True) -> Effect | None:
    """`comparison.products` of every seed as one ratio; the same sides in every seed.

    Returns:
        None if a seed has no common document.
    """
    each = [comparison.products(over, under, same_tokens) for over, under in seeds]
    if not each or None in each:
        return None
    if len(each) == 1:
        return each[0]
    sides = [[averaged(cells) for cells in zip(*(seed[side] for seed in seeds), strict=True)] for side in (0, 1)]
    whole = comparison.products(sides[0], sides[1], same_tokens)
    if whole is None or whole.low is None or whole.high is None:
        return whole
    logarithms = [math.log(one.value) for one in each if one is not None]
    value = float(np.mean(logarithms))
    documents = (value - math.log(whole.value / whole.low), value + math.log(whole.high / whole.value))
    low, high = combined(value, documents, logarithms)
    return replace(whole, value=math.exp(value), low=math.exp(low), high=math.exp(high))


def of_one_seed(effect: Effect) -> Effect:
    """A ratio that rests on one seed of tuning, its interval widened by the known spread of seeds."""
    if effect.low is None or effect.high is None:
        return effect
    within = math.log(effect.low), math.log(effect.high)
    low, high = _widened(math.log(effect.value), within, NORMAL * KNOWN_SPREAD)
    return replace(effect, low=math.exp(low), high=math.exp(high))


def over_base(rows: Sequence[Record], item: Extension, window: int) -> Effect | None:
    """Perplexity at a window over that of the base at L; None if no document was read by both.

    Where there is one seed of tuning, the interval is widened by `of_one_seed`.
    """
    by_seed: dict[int | None, list[Record]] = {}
    for row in rows:
        if row.metric == "document_loss" and extension_of(row) in (item, item.untouched):
            by_seed.setdefault(row.seed, []).append(row)
    base = (comparison.document_losses(own, item.untouched, item.base_window) for own in by_seed.values())
    under = next((losses for losses in base if losses), {})  # untuned: the same under every seed
    measured = [losses for own in by_seed.values() if (losses := comparison.document_losses(own, item, window))]
    if not item.steps:
        measured = measured[:1]
    found = products([([over], [under]) for over in measured], same_tokens=window == item.base_window)
    return of_one_seed(found) if found is not None and item.steps and len(measured) == 1 else found


def over_base_by_block(rows: Sequence[Record], item: Extension) -> dict[select.Block, Effect]:
    """Perplexity in each block of positions over that of the base there; blocks without the base are left out.

    There is no interval if no document has both. The rows are one group of `select.positions`.
    """
    base, found = select.by_block(rows, item.untouched), {}
    for block, record in select.by_block(rows, item).items():
        if block in base:
            over, under = (comparison.in_block(rows, one, block) for one in (item, item.untouched))
            effect = comparison.paired(over, under)
            if effect is None:
                effect = Effect(record.value / base[block].value, documents=record.n_documents or 0)
            found[block] = of_one_seed(effect) if item.steps else effect
    return found


def _mean(rows: Sequence[Record]) -> Record:
    """The mean of one number over its seeds."""
    to, back = (math.log, math.exp) if rows[0].metric in LOGARITHMIC else (float, float)
    values = [to(row.value) for row in rows]
    value = float(np.mean(values))
    ends = [(to(row.ci_low), to(row.ci_high)) for row in rows if row.ci_low is not None and row.ci_high is not None]
    counts, tokens = [row.n_documents or 0 for row in rows], [row.n_tokens or 0 for row in rows]
    own = rows[0].data.get("ids") is None and rows[0].metric != "training_loss"  # each seed asks prompts of its own
    low = high = None
    if rows[0].metric in RATES:
        trials = wilson(round(sum(row.value * count for row, count in zip(rows, counts, strict=True))), sum(counts))
        low, high = combined(value, (trials.low or 0.0, trials.high or 0.0), values)
        low, high = max(0.0, low), min(1.0, high)
    elif len(ends) == len(rows):
        within = float(np.mean([end for end, _ in ends])), float(np.mean([end for _, end in ends]))
        low, high = map(back, combined(value, within, values))
    return replace(
        rows[0],
        value=back(value),
        ci_low=low,
        ci_high=high,
        n_documents=sum(counts) if own else rows[0].n_documents,
        n_tokens=sum(tokens) if own else rows[0].n_tokens,
        seed=None,
        data={**rows[0].data, "seeds": sorted(row.seed for row in rows if row.seed is not None)},
    )


def _retrieved(longest: Record, successes: Sequence[Record]) -> Record:
    """k_max of all seeds' trials together, as if they were of one seed; left as it is where no trials are recorded."""
    own = [one for one in successes if one.measurement == longest.measurement]
    if not own:
        return longest
    trials = own[0].n_documents or 0
    wins = {one.at or 0: round(one.value * trials) for one in own}
    found = k_max(wins, trials, longest.data.get("threshold", THRESHOLD))
    return replace(longest, value=found.value, ci_low=found.low, ci_high=found.high)


def averaged(losses: Sequence[Losses]) -> Losses:
    """Each document's mean loss over seeds; documents that a seed lacks are left out."""
    common = set.intersection(*(set(one) for one in losses))
    return {name: (float(np.mean([one[name][0] for one in losses])), losses[0][name][1]) for name in sorted(common)}
