"""The records of one rung as evidence, from the experiments that are shaped as the paper's.

Where several experiments measured the same, the first of `EXPERIMENTS` answers; a comparison is made inside one
experiment if it can be, else across those that read the same text. Experiments that vary what the paper does not
(learning rates, the age of the base) are no evidence for its claims and are not read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.effects import Cell, Effect, exact
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.paper import TUNED
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, plural
from position_interpolation.tasks.benchmarks.findings import guesses
from position_interpolation.tasks.passkey.findings import blindness

EXPERIMENTS = (
    "table1_pg19", "table2_proof_pile", "table3_steps", "table4_passkey", "table5_benchmarks", "table6_govreport",
    "theory", "heads", "positions", "quickstart", "quickstart_smollm2", "smollm2_extend",
)  # fmt: skip
Found = TypeVar("Found")


@dataclass(frozen=True)
class Text:
    """What two perplexities must share to be compared by document; which documents, is seen from their ids."""

    task: str
    source: str | None
    stride: int | None
    seed: int


@dataclass
class Measured:
    """One perplexity and the document losses behind it."""

    experiment: str
    extension: Extension
    window: int
    losses: comparison.Losses = field(default_factory=dict)
    perplexity: Record | None = None


class Rung:
    """Answers from the records of one rung."""

    printed = False

    def __init__(self, title: str, records: Iterable[Record]) -> None:
        self.title = title
        kept = [record for record in records if record.experiment in EXPERIMENTS and select.plain(record)]
        self.records = sorted(kept, key=lambda record: EXPERIMENTS.index(record.experiment))
        self.experiments = tuple(dict.fromkeys(record.experiment for record in self.records))

    def models(self, sizes: Sequence[str] = ()) -> Sequence[str]:
        """Every model of the rung, whatever size the paper speaks of."""
        return tuple(self._windows)

    def window(self, model: str, multiple: int) -> int:
        """A multiple of the model's own window."""
        return multiple * self._windows[model]

    def factor(self, model: str, wanted: int, tuned: bool = True) -> int:
        """Of what was measured at its own window. Untuned extensions may go farther than tuned ones."""
        known = {
            round(extension.factor)
            for record in self.records
            if (extension := extension_of(record)) is not None and record.eval_window == extension.window
            if (extension.model, extension.method) == (model, "pi") and bool(extension.steps) == tuned
        }
        return min(wanted, max(known, default=wanted))

    def perplexity(self, cell: Cell) -> Effect | None:
        """Protocol `token`, with the interval of its record."""
        for measured in self._everywhere(cell):
            found = measured.perplexity
            if found is not None:
                return Effect(found.value, found.ci_low, found.ci_high, measured.experiment, _shown([measured]))
        return None

    def ratio(self, over: Sequence[Cell], under: Sequence[Cell]) -> Effect | None:
        """Bootstrap over the documents that all cells share."""
        for experiments in (*((name,) for name in self.experiments), self.experiments):
            for text in self._texts:
                above, below = ([self._find(cell, text, experiments) for cell in cells] for cells in (over, under))
                if None in (*above, *below):
                    continue
                found = _compared(text, [*filter(None, above)], [*filter(None, below)])
                if found is not None:
                    return found
        return None

    def past_window(self, model: str) -> Effect | None:
        """From the blocks of positions inside the window and past it."""
        for group, rows in select.positions(self.records).items():
            for extension in ordered(rows):
                if (extension.model, extension.method, extension.steps) != (model, "none", 0):
                    continue
                inside, past = comparison.stretches(rows, extension)
                found = comparison.blocks(past, inside)
                if found is not None:
                    detail = f"perplexity by position up to {group.length}, {plural(found.documents, 'document')}"
                    return Effect(found.value, found.low, found.high, past.blocks[0].experiment, detail)
        return None

    def k_max(self, model: str, method: str, factor: int, steps: int | None = None) -> Effect | None:
        """None as well if the base retrieves nothing in its own window: then nothing is learnt of extensions."""
        for experiment in self.experiments:
            rows = [
                record
                for record in self.records
                if (record.experiment, record.task, record.model) == (experiment, "passkey", model)
            ]
            known = {
                record.steps: record
                for record in rows
                if (record.metric, record.method, record.factor) == ("k_max", method, factor)
                and record.eval_window == record.window
            }
            found = _at_steps(known, method, steps)
            if found is not None and not any(blindness(rows, extension) for extension in ordered(rows)):
                window = self.window(model, factor)
                detail = f"{found.value:.0f} of {window}, {plural(found.steps or 0, 'step')}"
                tokens = Effect(found.value, found.ci_low, found.ci_high, experiment, detail)
                return tokens.scaled(1 / window)
        return None

    def accuracy(self, model: str, test: str, factor: int, text: str = "pile") -> Effect | None:
        """Accuracy as recorded, which is a share."""
        return self._benchmark("accuracy", model, test, factor, text)

    def accuracy_change(self, model: str, test: str, factor: int, text: str = "pile") -> Effect | None:
        """Paired by question against the base, as recorded."""
        return self._benchmark("accuracy_change", model, test, factor, text)

    def rouge_lead(self, metric: str) -> Effect | None:
        """Against the report's first tokens taken as its summary; bootstrap over the reports that both have."""
        for experiment in self.experiments:
            rows = [record for record in self.records if (record.experiment, record.task) == (experiment, "govreport")]
            ours, lead = (_by_document(rows, metric, protocol) for protocol in ("generated", "lead"))
            found = comparison.difference(ours, lead)
            if found is not None:
                value, low, high, count = found
                means = " against ".join(f"{sum(side.values()) / len(side):.1f}" for side in (ours, lead))
                detail = f"{means} of the report's first tokens, {plural(count, 'report')}"
                return Effect(value, low, high, experiment, detail)
        return None

    def theory(self, metric: str, head_dim: int | None = None, window: int | None = None) -> Effect | None:
        """A computed number, without interval."""
        for record in self.records:
            if (record.task, record.metric, record.at, record.eval_window) == ("theory", metric, head_dim, window):
                return exact(record.value, record.experiment)
        return None

    @cached_property
    def _windows(self) -> dict[str, int]:
        """L of every model, in tokens."""
        return {extension.model: extension.base_window for extension in map(extension_of, self.records) if extension}

    @cached_property
    def _texts(self) -> tuple[Text, ...]:
        return tuple(dict.fromkeys(text for _, text, *_ in self._cells))

    @cached_property
    def _cells(self) -> dict[tuple[str, Text, str, str, float, float], dict[int | None, Measured]]:
        """Every perplexity by experiment, text, model, method, factor and W / L, then by steps of tuning.

        Of two sets of documents the larger counts: the smaller may be a trial.
        """
        cells: dict[tuple[str, Text, str, str, float, float], dict[int | None, dict[str, Measured]]] = {}
        for record in self.records:
            extension = extension_of(record)
            if extension is None or record.eval_window is None or record.protocol != "token":
                continue
            if record.metric not in ("perplexity", "document_loss"):
                continue
            text = Text(record.task, record.data.get("source"), record.stride, record.seed)
            at = record.eval_window / extension.base_window
            key = (record.experiment, text, extension.model, extension.method, extension.factor, at)
            sets = cells.setdefault(key, {}).setdefault(extension.steps, {})  # by the set of documents
            new = Measured(record.experiment, extension, record.eval_window)
            measured = sets.setdefault(str(record.data.get("sha256")), new)
            if record.metric == "perplexity":
                measured.perplexity = record
            else:
                measured.losses[str(record.data["ids"][0])] = (record.value, record.n_tokens or 0)
        return {
            key: {steps: max(sets.values(), key=lambda one: len(one.losses)) for steps, sets in by_steps.items()}
            for key, by_steps in cells.items()
        }

    def _everywhere(self, cell: Cell) -> Iterable[Measured]:
        found = (self._find(cell, text, (name,)) for name in self.experiments for text in self._texts)
        return (measured for measured in found if measured is not None)

    def _find(self, cell: Cell, text: Text, experiments: Sequence[str]) -> Measured | None:
        """The first of some experiments that measured a cell on a text."""
        if text.task != cell.task:
            return None
        for experiment in experiments:
            known = self._cells.get((experiment, text, cell.model, cell.method, cell.factor, cell.at), {})
            found = _at_steps(known, cell.method, cell.steps)
            if found is not None:
                return found
        return None

    def _benchmark(self, metric: str, model: str, test: str, factor: int, text: str) -> Effect | None:
        """One record of Table 5; the text that the models here are tuned on stands for the Pile.

        None as well if the base only guesses: then nothing is learnt of extensions.
        """
        method = "pi" if factor > 1 else "none"
        for experiment in self.experiments if text == "pile" else ():
            asked = [record for record in self.records if (record.experiment, record.task) == (experiment, test)]
            bases = [record for record in asked if (record.metric, record.method) == ("accuracy", "none")]
            if any(record.model == model and guesses(record, test) for record in bases):
                continue
            known = {
                record.steps: record
                for record in asked
                if record.metric == metric and (record.model, record.method, record.factor) == (model, method, factor)
            }
            found = _at_steps(known, method, None)
            if found is not None:
                questions = plural(found.n_documents or 0, "question")
                tuned = f", {plural(found.steps, 'step')}" if found.steps else ""
                measured = Effect(found.value, found.ci_low, found.ci_high, experiment, f"{questions}{tuned}")
                return measured.scaled(100)
        return None


def _at_steps(known: Mapping[int | None, Found], method: str, steps: int | None) -> Found | None:
    """What was measured after so many steps; for None after the paper's number, or else the longest tuning."""
    if steps is not None or method == "none":
        return known.get(steps or 0)
    tuned, usual = [number for number in known if number], TUNED[method]
    return known[usual if usual in tuned else max(tuned)] if tuned else None


def _compared(text: Text, over: Sequence[Measured], under: Sequence[Measured]) -> Effect | None:
    """Ratio of two products of perplexities on the documents that all have in common.

    Two windows of one experiment may score different tokens of a document: samples do.
    """
    measured = (*over, *under)
    windows, sources = {item.window for item in measured}, dict.fromkeys(item.experiment for item in measured)
    found = comparison.products(
        [item.losses for item in over],
        [item.losses for item in under],
        same_tokens=len(windows) == 1 or len(sources) > 1,
    )
    if found is None:
        return None
    steps = dict.fromkeys(_tuning(item.extension) for item in measured if item.extension.steps)
    detail = [
        f"{_shown(over)} against {_shown(under)}",
        *steps,
        f"{plural(found.documents, 'document')} of {text.source} text",
    ]
    return Effect(found.value, found.low, found.high, ", ".join(sources), ", ".join(detail))


def _tuning(extension: Extension) -> str:
    if extension.control:
        return f"base tuned {plural(extension.steps, 'step')}"
    name = "PI" if extension.method == "pi" else "FT"
    return f"{name} x{extension.factor:g} tuned {plural(extension.steps, 'step')}"


def _shown(sides: Sequence[Measured]) -> str:
    """The perplexities as their records have them."""
    return " x ".join(
        "not recorded" if item.perplexity is None else perplexity_text(item.perplexity.value) for item in sides
    )  # fmt: skip


def _by_document(records: Sequence[Record], metric: str, protocol: str) -> dict[str, float]:
    """ROUGE of every report's summary, by id."""
    return {
        str(record.data["ids"][0]): record.value
        for record in records
        if (record.metric, record.protocol) == (f"document_{metric}", protocol)
    }
