"""Records of two sides, joined by what they measure: how far apart they are, and whether rounding explains it."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter

from position_interpolation.compare import tolerances
from position_interpolation.compare.tolerances import Kind
from position_interpolation.evidence import select
from position_interpolation.evidence.judging import Outcome
from position_interpolation.evidence.k_max import LONGEST, SUCCESS
from position_interpolation.evidence.records import Record
from position_interpolation.report import judge
from position_interpolation.settings.errors import UsageError

# What may tell why two folders share no number, from the coarsest on.
FACTS: dict[str, Callable[[Record], str]] = {
    **{name: attrgetter(name) for name in ("rung", "model", "experiment", "task")},
    "text": lambda one: f"{one.data['name']} ({one.data['source']}, {str(one.data.get('sha256'))[:8]})",
}
SHOWN = 3  # names listed in an error
# The metrics that a mean is computed from, in the same measurement: at every distance, or of every document.
MEANS = {
    **{name: (name,) for name in (SUCCESS, "key_log_likelihood")},
    **{name: (f"document_{name}",) for name in select.ROUGES},
}
TERMS = {  # the metrics that a number is computed from
    **MEANS,
    LONGEST: (SUCCESS,),
    "perplexity": ("document_loss", "document_window_loss"),  # each protocol has one of them
    select.BLOCK_PERPLEXITY: (select.DOCUMENT_BLOCK_LOSS,),
}
SUMMED = 1e-9  # how much the order of summation may change
Base = tuple[str, int | None]  # model, and the tokens that it has seen


@dataclass(frozen=True)
class Pair:
    """One number, measured twice."""

    ours: Record
    theirs: Record
    beyond: str  # why rounding does not explain the difference; empty if it does

    @cached_property
    def kind(self) -> Kind:
        """What kind of number it is."""
        return tolerances.kind(self.theirs)

    @property
    def size(self) -> float:
        """How far apart, in the unit of the kind."""
        return tolerances.size(self.kind.unit, self.ours.value, self.theirs.value)


@dataclass(frozen=True)
class Comparison:
    """Two sides held against each other."""

    pairs: tuple[Pair, ...]
    only_ours: Counter[str]  # rows by experiment/rung
    only_theirs: Counter[str]
    notes: tuple[str, ...]  # what was not compared, and why
    judged: int  # claims that the common numbers say something about, each rung on its own
    otherwise: tuple[str, ...]  # those that come out otherwise, with the case that decides them on either side

    @cached_property
    def outside(self) -> list[Pair]:
        """Differences that rounding does not explain."""
        return [pair for pair in self.pairs if pair.beyond]

    @property
    def agrees(self) -> bool:
        """Whether rounding explains every difference, and every claim comes out the same."""
        return not self.outside and not self.otherwise

    def by_kind(self) -> dict[Kind, list[Pair]]:
        """The pairs of each kind, kinds in their order."""
        found = {kind: [pair for pair in self.pairs if pair.kind == kind] for kind in tolerances.KINDS}
        return {kind: pairs for kind, pairs in found.items() if pairs}


def compare(ours: Sequence[Record], theirs: Sequence[Record]) -> Comparison:
    """Hold records against others.

    Raises:
        UsageError: no number is on both sides.
    """
    notes = _other_weights(ours, theirs)
    known = ([one for one in side if (one.model, one.base_tokens) not in notes] for side in (ours, theirs))
    joined = list(_joined(*known))
    if not joined:
        raise UsageError(_strangers(ours, theirs, notes))
    found = {id(record) for pair in joined for record in pair}
    left, right = (Counter(folder(one) for one in side if id(one) not in found) for side in (ours, theirs))
    judged, otherwise = _claims(joined)
    return Comparison(_judged(joined), left, right, tuple(notes.values()), judged, tuple(otherwise))


def folder(record: Record) -> str:
    """Where in results/ a record stands."""
    return f"{record.experiment}/{record.rung}"


def _joined(*sides: Iterable[Record]) -> Iterator[tuple[Record, Record]]:
    """Pairs of one number: seed by seed, or the first of each side if they share no seed.

    A training loss has no counterpart under another seed, which reads other text at that step.
    """
    ours, theirs = (select.gathered(side, lambda one: replace(one, seed=None).identity) for side in sides)
    for name in (name for name in ours if name in theirs):  # in order, on which evidence depends
        left, right = ({record.seed: record for record in side[name]} for side in (ours, theirs))
        if common := left.keys() & right.keys():
            yield from ((left[seed], right[seed]) for seed in left if seed in common)
        elif ours[name][0].metric != select.TRAINING_LOSS:
            yield ours[name][0], theirs[name][0]


def _judged(joined: Iterable[tuple[Record, Record]]) -> tuple[Pair, ...]:
    """Every pair with its verdict, which also considers how the numbers moved that it is computed from."""
    pairs = [Pair(ours, theirs, tolerances.beyond(ours, theirs)) for ours, theirs in joined]
    terms: dict[tuple[str, str, int | None], list[Pair]] = defaultdict(list)
    for pair in pairs:
        is_term = pair.theirs.at is not None or pair.theirs.metric.startswith("document_")
        for at in {pair.theirs.at, None} if is_term else ():
            terms[pair.theirs.measurement, pair.theirs.metric, at].append(pair)
    settled = []
    for pair in pairs:
        places = [(pair.theirs.measurement, name, pair.theirs.at) for name in TERMS.get(pair.theirs.metric, ())]
        own = [term for place in places for term in terms.get(place, []) if term is not pair]
        settled.append(replace(pair, beyond=pair.beyond or _broken(pair, own)))
    return tuple(sorted(settled, key=lambda pair: (folder(pair.theirs), pair.theirs.identity)))


def _broken(whole: Pair, terms: Sequence[Pair]) -> str:
    """Why a number contradicts the terms that it is computed from; empty if it does not, or a term is missing."""
    for side in ("ours", "theirs"):
        if not terms or getattr(whole, side).n_documents != sum(getattr(term, side).n_documents or 0 for term in terms):
            return ""
    if whole.theirs.metric not in MEANS:
        if whole.size and not any(term.size for term in terms):
            return "nothing that it is computed from differs"
        sums = [_follows([getattr(pair, side) for pair in (whole, *terms)]) for side in ("ours", "theirs")]
        return "one side's is not what the losses of its documents give" if any(sums) and not all(sums) else ""
    expected = sum(term.ours.value - term.theirs.value for term in terms) / len(terms)
    moved = whole.ours.value - whole.theirs.value
    return "" if math.isclose(moved, expected, abs_tol=SUMMED) else "what it sums up differs by another amount"


def _follows(records: Sequence[Record]) -> bool:
    """Whether the first, a perplexity, is that of the others, losses of its documents, weighted by their tokens."""
    whole, *losses = records
    tokens = [loss.n_tokens or 0 for loss in losses]
    if not sum(tokens) or whole.value <= 0:
        return False
    mean = sum(count * loss.value for count, loss in zip(tokens, losses, strict=True)) / sum(tokens)
    return math.isclose(math.log(whole.value), mean, abs_tol=SUMMED)


def _claims(joined: Iterable[tuple[Record, Record]]) -> tuple[int, list[str]]:
    """How many claims can be judged by the common numbers, and a sentence on each on which the sides differ."""
    sides: tuple[dict[str, list[Record]], ...] = defaultdict(list), defaultdict(list)
    for pair in joined:
        for side, record in zip(sides, pair, strict=True):
            side[record.rung].append(record)
    judged, otherwise = 0, []
    for ours, theirs in zip(*map(judge.judge, sides), strict=True):
        for rung in sides[0]:
            left, right = ours.outcomes[rung], theirs.outcomes[rung]
            judged += bool(left.measured or right.measured)
            if left.verdict != right.verdict:
                otherwise.append(f"{ours.claim.statement} ({rung}): {_said(left)}; theirs: {_said(right)}")
    return judged, otherwise


def _said(outcome: Outcome) -> str:
    case = outcome.worst
    return outcome.verdict if case is None else f"{outcome.verdict} ({case.name}: {case.shown}, needed {case.needed})"


def _other_weights(ours: Iterable[Record], theirs: Iterable[Record]) -> dict[Base, str]:
    """Bases of one name whose weights differ, with a sentence on each: their numbers cannot be compared."""
    left, right = _weights(ours), _weights(theirs)
    return {
        base: f"model {base[0]} has other weights ({_short(left[base])} against {_short(right[base])}): not compared"
        for base in left.keys() & right.keys()
        if left[base].isdisjoint(right[base])
    }


def _weights(side: Iterable[Record]) -> dict[Base, set[str]]:
    """Fingerprints of each base's weights; unknown where only tuned extensions of it were measured."""
    found: dict[Base, set[str]] = defaultdict(set)
    for record in side:
        if record.steps == 0 and record.weights_sha256 is not None:
            found[record.model, record.base_tokens].add(record.weights_sha256)
    return found


def _short(weights: Iterable[str]) -> str:
    return ", ".join(sorted(sha256[:8] for sha256 in weights))


def _strangers(ours: Sequence[Record], theirs: Sequence[Record], notes: Mapping[Base, str]) -> str:
    """Why two folders share no number, in one line."""
    if notes:
        return f"no number is in both: {'; '.join(notes.values())}"
    for name, fact in FACTS.items():
        left, right = (set(map(fact, side)) for side in (ours, theirs))
        if left.isdisjoint(right):
            unlike = f"{name} {_few(left)} against {_few(right)}"
            return f"no number is in both: {unlike}; expected two runs of one experiment"
    return "no number is in both: expected two runs of one experiment on the same model and text"


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:SHOWN]) + (f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else "")
