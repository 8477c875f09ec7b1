"""Answers to the questions of a check, from the records of a rung or from the paper's own numbers.

Where several experiments measured the same number, the first of them answers. Numbers are compared inside one
experiment where that is possible, else across experiments that read the same text.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from position_interpolation.evidence import comparison, seeds, select
from position_interpolation.evidence.comparison import Effect, exact, recorded
from position_interpolation.evidence.extensions import Extension, extension_of
from position_interpolation.evidence.paper import at_steps
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, plural

# Experiments shaped like the paper's. Others vary what the paper does not: they count only for claims that name them.
EXPERIMENTS = (
    "table1_pg19", "table2_proof_pile", "table3_steps", "table4_passkey", "table5_benchmarks", "table6_govreport",
    "theory", "heads", "positions", "quickstart", "quickstart_smollm2", "smollm2_extend",
)  # fmt: skip
FACTORS = (4, 8, 16)  # the paper's


@dataclass(frozen=True)
class Wanted:
    """Which perplexity of Tables 1 to 3 is asked for: of which model, extended how, read at which window."""

    model: str
    task: str  # pg19 or proof_pile
    method: str  # none, extrapolation (the paper's FT; with factor 1 the base tuned further at L) or pi
    factor: int  # s = L' / L
    at: int  # W / L
    steps: int | None = None  # of tuning; None: tuned in full, PI 1000 steps and FT 10000 or the longest there is


Text = select.Group  # what two perplexities must share to be compared by document: task, source and stride
# A perplexity whatever the steps and the seed: experiment, text, model, method, factor, W / L.
Cell = tuple[str, Text, str, str, float, float]
Rows = list[Record]  # of one perplexity: itself, and the document losses behind it
BySeed = dict[int | None, Rows]


class Evidence:
    """Answers from some records; None for what was not measured.

    Args:
        records: those of one rung.
        experiments: those that count, in the order in which they are asked; None for all.
        printed: whether these are the paper's own numbers. They have no documents, and none can be measured later.
    """

    def __init__(
        self, records: Sequence[Record], experiments: Sequence[str] | None = None, printed: bool = False
    ) -> None:
        self.printed = printed
        every = dict.fromkeys(record.experiment for record in records)
        self.experiments = tuple(every if experiments is None else experiments)
        kept = [record for record in records if record.experiment in self.experiments]
        self.records = sorted(kept, key=lambda record: self.experiments.index(record.experiment))

    @property
    def models(self) -> tuple[str, ...]:
        """Every model, in the order in which they were measured."""
        return tuple(self._windows)

    def window(self, model: str, multiple: int) -> int:
        """A multiple of the model's window L, in tokens."""
        return multiple * self._windows[model]

    def factor(self, model: str, factor: int, tuned: bool = True) -> int:
        """The factor of PI that answers for `factor`: of a rung that extends less far, its largest.

        Only extensions measured at their own window count. Untuned ones may go farther than tuned ones.
        """
        known = {
            round(extension.factor)
            for record in self.plain
            if (extension := extension_of(record)) is not None
            and (extension.model, extension.method, bool(extension.steps)) == (model, "pi", tuned)
            and record.eval_window == extension.window
        }
        return min(factor, max(known, default=factor))

    def factors(self, model: str, tuned: bool = True) -> tuple[int, ...]:
        """The paper's factors, or the one that stands for all of them."""
        least = self.factor(model, FACTORS[0], tuned)
        return FACTORS if least == FACTORS[0] else (least,)

    def of(self, task: str, model: str | None = None, settings: dict[str, Any] | None = None) -> Iterator[list[Record]]:
        """The records of a task, plain or under some settings, of all models or one; one list per experiment."""
        for experiment in self.experiments:
            known = self._by_task.get((experiment, task), [])
            if found := [one for one in known if one.settings == settings and model in (None, one.model)]:
                yield found

    def number(
        self, task: str, metric: str, model: str | None = None, at: int | None = None, window: int | None = None
    ) -> Effect | None:
        """A number that a task computes once, exact unless an interval is recorded with it.

        Any model or window will do where it is None. If `at` is None, the number is the one that has no place.
        """
        rows = (one for found in self.of(task, model) for one in found if (one.metric, one.at) == (metric, at))
        found = next((one for one in rows if window in (None, one.eval_window)), None)
        if found is None:
            return None
        return exact(found.value, found.experiment) if found.ci_low is None else recorded(found)

    def perplexity(self, reading: Wanted) -> Effect | None:
        """Protocol `token`, with the interval of its record, over all seeds."""
        for experiment in self.experiments:
            for text in self._texts:
                found = self._find(reading, text, (experiment,)).values()
                for record in seeds.pooled(filter(None, map(_perplexity, found))):
                    return recorded(record, perplexity_text(record.value))
        return None

    def ratio(self, over: Sequence[Wanted], under: Sequence[Wanted]) -> Effect | None:
        """Product of some perplexities over the product of as many others, paired by document where there are any.

        The seeds that count are those that all tuned ones have. What is untuned is the same under every seed.
        """
        single = [(name,) for name in self.experiments]
        for experiments in (*single, self.experiments):  # inside one experiment where possible, else across them
            for text in self._texts:
                found = [self._find(one, text, experiments) for one in (*over, *under)]
                if not all(found):
                    continue
                tuned = [bool(next(iter(one.values()))[0].steps) for one in found]
                sides = [(cells[: len(over)], cells[len(over) :]) for cells in seeds.aligned(found, tuned)]
                effect = _printed(*sides[0]) if self.printed else _paired(text, sides)
                if effect is not None:
                    return effect
        return None

    @cached_property
    def plain(self) -> list[Record]:
        """The records that compare neither settings nor stopped bases."""
        return [record for record in self.records if select.plain(record)]

    @cached_property
    def _by_task(self) -> dict[tuple[str, str], list[Record]]:
        pooled = seeds.pooled(record for record in self.records if record.base_tokens is None)
        return select.gathered(pooled, lambda record: (record.experiment, record.task))

    @cached_property
    def _windows(self) -> dict[str, int]:
        """L of every model, in tokens."""
        return {extension.model: extension.base_window for extension in map(extension_of, self.plain) if extension}

    @cached_property
    def _texts(self) -> tuple[Text, ...]:
        return tuple(dict.fromkeys(text for _, text, *_ in self._measured))

    @cached_property
    def _measured(self) -> dict[Cell, dict[int | None, BySeed]]:
        """What was measured for each cell, by steps of tuning, then by seed.

        Of two sets of documents the larger counts: the smaller may be a trial.
        """
        found: dict[Cell, dict[int | None, BySeed]] = {}
        for (cell, steps, _), by_seed in _by_documents(self.plain).items():
            by_steps = found.setdefault(cell, {})
            if steps not in by_steps or _documents(by_seed) > _documents(by_steps[steps]):
                by_steps[steps] = by_seed
        return found

    def _find(self, reading: Wanted, text: Text, experiments: Sequence[str]) -> BySeed:
        """What the first of some experiments that read this text measured, by seed."""
        if text.task != reading.task:
            return {}
        for experiment in experiments:
            cell = (experiment, text, reading.model, reading.method, reading.factor, reading.at)
            found = at_steps(self._measured.get(cell, {}), reading.method, reading.steps)
            if found is not None:
                return found
        return {}


def _by_documents(records: Iterable[Record]) -> dict[tuple[Cell, int | None, str], BySeed]:
    """Perplexities with the losses behind them, by cell, steps of tuning and fingerprint of the documents read."""
    found: dict[tuple[Cell, int | None, str], BySeed] = {}
    for record in records:
        extension = extension_of(record)
        if extension is None or record.eval_window is None or record.metric not in ("perplexity", "document_loss"):
            continue
        if record.protocol not in ("token", None):  # the paper's records name no protocol
            continue
        text = Text(record.task, record.data.get("source"), record.stride)
        at = record.eval_window / extension.base_window
        cell = (record.experiment, text, extension.model, extension.method, extension.factor, at)
        by_seed = found.setdefault((cell, extension.steps, str(record.data.get("sha256"))), {})
        by_seed.setdefault(record.seed, []).append(record)
    return found


def _perplexity(rows: Rows) -> Record | None:
    return next((row for row in rows if row.metric == "perplexity"), None)


def _losses(rows: Rows) -> comparison.Losses:
    return {row.document: (row.value, row.n_tokens or 0) for row in rows if row.metric == "document_loss"}


def _documents(by_seed: BySeed) -> int:
    """How many documents stand behind a perplexity, under the seed that has most."""
    return max(len(_losses(rows)) for rows in by_seed.values())


def _printed(over: Sequence[Rows], under: Sequence[Rows]) -> Effect:
    """A ratio of printed numbers, taken as exact."""
    above, below = (math.prod(recorded(rows[0]).value for rows in side) for side in (over, under))
    detail = f"{_shown([over])} against {_shown([under])}"
    return replace(exact(above / below, "", detail), sources=_sources(over, under))


def _paired(text: Text, by_seed: Sequence[tuple[Sequence[Rows], Sequence[Rows]]]) -> Effect | None:
    """A ratio with a bootstrap over the documents that all have in common, and the spread of the seeds of tuning.

    Two windows of one experiment may score different tokens of a document, as samples do.
    """
    if not by_seed:
        return None
    over, under = by_seed[0]
    sources = _sources(over, under)
    windows = {rows[0].eval_window for rows in (*over, *under)}
    tuned = [[one for rows in side if (one := extension_of(rows[0])) and one.steps] for side in (over, under)]
    ours, theirs = ({one.untuned for one in side} for side in tuned)
    losses = [([*map(_losses, above)], [*map(_losses, below)]) for above, below in by_seed]
    found = seeds.products(losses, same_tokens=len(windows) == 1 or len(sources) > 1, vary=ours != theirs)
    if found is None:
        return None
    above, below = (_shown(sides) for sides in zip(*by_seed, strict=True))
    steps = dict.fromkeys(map(_tuning, chain(*tuned)))
    count = ["one seed" if len(by_seed) == 1 else f"{len(by_seed)} seeds"] if steps else []
    documents = f"{plural(found.documents, 'document')} of {text.source} text"
    return replace(found, sources=sources, detail=", ".join([f"{above} against {below}", *steps, *count, documents]))


def _sources(*sides: Sequence[Rows]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rows[0].experiment for side in sides for rows in side))


def _tuning(extension: Extension) -> str:
    if extension.control:
        return f"base tuned {plural(extension.steps, 'step')}"
    name = "PI" if extension.method == "pi" else "FT"
    return f"{name} x{extension.factor:g} tuned {plural(extension.steps, 'step')}"


def _shown(by_seed: Sequence[Sequence[Rows]]) -> str:
    """The perplexities of one side as readers see them, over all seeds as tables have them."""
    texts = []
    for cells in zip(*by_seed, strict=True):
        values = [one.value for rows in cells if (one := _perplexity(rows)) is not None]
        logarithm = sum(map(math.log, values)) / max(1, len(values))
        texts.append(perplexity_text(math.exp(logarithm)) if len(values) == len(cells) else "not recorded")
    return " x ".join(texts)
