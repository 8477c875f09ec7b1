"""From how many training tokens of the base on tuned PI beats tuned extrapolation."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from position_interpolation.comparisons.base_tokens import tables
from position_interpolation.comparisons.base_tokens.tables import Base, Treatment
from position_interpolation.evidence import comparison
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, below, judged, missing
from position_interpolation.evidence.words import plural, thousands

AHEAD = "Tuned PI beats extrapolation tuned for as many steps"
AHEAD_UNTUNED = "Untuned PI beats the untuned base past its window"
TURNS = "The order of tuned PI and tuned extrapolation turns with the base's training tokens"
TURNS_UNTUNED = "The order of untuned PI and the untuned base turns with the base's training tokens"
Losses = dict[str, tuple[float, int]]


def base_tokens_findings(rows: Sequence[Record]) -> list[Finding]:
    """For each budget of tuning: who is ahead on each base, and whether that turns.

    Args:
        rows: one group of `select.stopped`.
    """
    found = []
    for ours, other in _pairs(rows):
        singles = [_ahead(rows, base, ours, other) for base in tables.bases(rows)]
        found += [*singles, _turn(tables.bases(rows), singles, ours)]
    return found


def _pairs(rows: Sequence[Record]) -> list[tuple[Treatment, Treatment]]:
    """PI with the extrapolation of the same window and steps; untuned, that is the base itself."""
    known = tables.treatments(rows)
    bases = [item for item in known if item.method == "none"]
    pairs = []
    for ours in (item for item in known if item.method == "pi"):
        others = [replace(ours, method="extrapolation")] if ours.steps else bases
        pairs += [(ours, other) for other in others if other in known]
    return pairs


def _claim(ours: Treatment, base: Base) -> str:
    after = f"base after {thousands(base.tokens)} tokens"
    return f"{AHEAD}, {after}, {ours.steps} steps" if ours.steps else f"{AHEAD_UNTUNED}, {after}"


def _ahead(rows: Sequence[Record], base: Base, ours: Treatment, other: Treatment) -> Finding:
    """Perplexity of PI over extrapolation at L': documents paired, their losses averaged over the seeds of both."""
    claim = _claim(ours, base)
    pairs = [
        [_losses(rows, base, treatment, ours.window, seed) for treatment in (ours, other)]
        for seed in tables.seeds(rows)
    ]
    both = [(left, right) for left, right in pairs if left and right]
    if not both:
        return missing(claim)
    ratio = comparison.paired(_averaged([left for left, _ in both]), _averaged([right for _, right in both]))
    if ratio is None:
        return missing(claim)
    alone = [comparison.paired(left, right) for left, right in both]
    wins = sum(one is not None and one.value < 1 for one in alone)
    text = (
        f"{claim}: at {ours.window} by {ratio.percent()} over {plural(ratio.documents, 'document')}; ahead under "
        f"{wins} of {plural(len(both), 'seed')}."
    )
    found = judged(text, ratio, below(1.0))
    agreed = wins in (0, len(both))  # the bootstrap draws documents, not seeds: those must agree
    return found if agreed else replace(found, verdict="within noise")


def _losses(rows: Sequence[Record], base: Base, treatment: Treatment, window: int, seed: int) -> Losses:
    own = [record for record in rows if record.seed == seed]
    return comparison.document_losses(own, tables.extension(base, treatment), window)


def _averaged(seeds: Sequence[Losses]) -> Losses:
    """Each document's mean over seeds; documents that a seed lacks are left out."""
    common = set.intersection(*(set(losses) for losses in seeds))
    return {name: (sum(losses[name][0] for losses in seeds) / len(seeds), seeds[0][name][1]) for name in sorted(common)}


def _turn(bases: Sequence[Base], singles: Sequence[Finding], ours: Treatment) -> Finding:
    """Where the order turns: a base on which PI is behind, followed by one on which it is ahead."""
    decided = [
        (base, finding.verdict == "holds")
        for base, finding in zip(bases, singles, strict=True)
        if finding.verdict in ("holds", "does not hold")
    ]
    claim = f"{TURNS}, {ours.steps} steps" if ours.steps else TURNS_UNTUNED
    if len(decided) < 2:
        text = f"{claim}: fewer than two bases tell the two apart."
        return Finding(text, "within noise" if any(one.effect for one in singles) else "not measured")
    turns = [(one, later) for (one, was), (later, now) in pairwise(decided) if was != now]
    if not turns:
        ahead = "ahead" if decided[0][1] else "behind"
        return Finding(f"{claim}: PI is {ahead} from {decided[0][0].name} to {decided[-1][0].name}.", "does not hold")
    places = "; ".join(f"between {one.name} and {later.name}" for one, later in turns)
    return Finding(f"{claim}: {places}; PI ends {'ahead' if decided[-1][1] else 'behind'}.", "holds")
