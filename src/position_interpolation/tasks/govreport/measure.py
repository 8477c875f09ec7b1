"""Summaries measured on an extension (Table 6): tuned on pairs or not, and beside them the report's first tokens."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from position_interpolation.evidence import intervals, records
from position_interpolation.evidence.intervals import Estimate
from position_interpolation.machine import files
from position_interpolation.machine.progress import Progress
from position_interpolation.settings import derived
from position_interpolation.tasks.govreport import config as govreport_config
from position_interpolation.tasks.govreport import pairs, rouge, summaries
from position_interpolation.tasks.govreport.config import LEAD, TUNED, UNTUNED, GovReportTask
from position_interpolation.tasks.govreport.pairs import Pair, Pairs
from position_interpolation.tasks.govreport.summaries import Lengths, Sampling
from position_interpolation.tasks.govreport.tuning import steps, tuned_on_summaries
from position_interpolation.tasks.measurement import Measured, Measurement, beginnings, common, raw, text, unseen
from position_interpolation.text import encoding, overlap
from position_interpolation.text.corpora import Documents
from position_interpolation.tuning.extension import Prepared


@dataclass(frozen=True)
class Scoring:
    """What the summaries of every writer are scored against, and how."""

    documents: Pairs
    window: int  # L', tokens
    bootstrap: int

    @property
    def parts(self) -> dict[str, Any]:
        """Parts of a signature."""
        return {
            "govreport": 1, "data": self.documents.sha256, "window": self.window, "bootstrap": self.bootstrap,
            "rouge": rouge.implementation(),
        }  # fmt: skip


def measurements(prepared: Prepared, task: GovReportTask) -> Iterator[Measurement]:
    """ROUGE of the report's first tokens, then of what the extension writes (Table 6)."""
    config = prepared.config
    lengths = Lengths(*govreport_config.summary_lengths(config, task))
    scoring = Scoring(
        pairs.load(config.data, task.corpus, task.documents, task.ids), derived.reach(config), task.bootstrap
    )
    training = pairs.load(config.data, task.training) if task.tune else None
    if training is not None:
        _check_apart(prepared, beginnings(scoring.documents, prepared.tokenizer, lengths.prompt), training)
    unseen(prepared, scoring.documents, lengths.prompt)
    yield _lead(prepared, scoring, lengths)
    sampling = Sampling(task.temperature, task.top_p, lengths.summary, config.seed)
    if training is None:
        yield _written(prepared, scoring, lengths, sampling, UNTUNED, [])
    else:
        tuned = tuned_on_summaries(prepared, task, training, lengths)
        yield _written(tuned, scoring, lengths, sampling, TUNED, _tuning(task, training))


def _check_apart(prepared: Prepared, documents: Documents, training: Pairs) -> None:
    """Refuse to score documents that were tuned on."""
    measured, seen = (overlap.pieces(corpus, prepared.cache) for corpus in (documents, training))
    overlap.refuse(measured, seen, "give the two corpora different parts or splits in conf/data")


def _lead(prepared: Prepared, scoring: Scoring, lengths: Lengths) -> Measurement:
    """The baseline without a model: as many tokens from the report's start as a summary may have."""
    tokenizer = prepared.tokenizer
    parts = {**scoring.parts, "tokenizer": encoding.tokenizer_sha256(tokenizer), "lead": lengths.summary}

    def measure() -> list[Measured]:
        leads = [summaries.lead(tokenizer, pair.text, lengths.summary) for pair in scoring.documents.items]
        return _scored(scoring, tokenizer, leads, LEAD)

    return Measurement(parts, measure, subject=lambda _: None)


def _written(
    subject: Prepared,
    scoring: Scoring,
    lengths: Lengths,
    sampling: Sampling,
    protocol: str,
    tuning: Sequence[Measured],
) -> Measurement:
    """What the model writes after each prompt; `tuning` has the numbers that are recorded with it."""
    drawn = {**common(subject, None), "prompt": lengths.prompt, **asdict(sampling)}

    def measure() -> list[Measured]:
        folder = raw(subject.config, "summaries", records.signature(drawn))
        items = scoring.documents.items
        written = []
        with Progress(f"summaries, {protocol}", len(items), "documents") as bar:
            for pair in items:
                written.append(write(subject, pair, lengths, sampling, folder))
                bar(1)
        return [*_scored(scoring, subject.tokenizer, written, protocol), *tuning]

    return Measurement({**drawn, **scoring.parts}, measure, subject=lambda _: subject)


def write(subject: Prepared, pair: Pair, lengths: Lengths, sampling: Sampling, folder: Path) -> list[int]:
    """Tokens of one document's summary, from `folder` if it is there, else written now and kept there."""
    prompt = summaries.prompt(subject.tokenizer, pair.text, lengths.prompt)
    path = folder / f"{records.signature({'id': pair.id, 'prompt': prompt})}.json"
    kept = _kept(path)
    if kept is None:
        kept = summaries.write(subject.model, prompt, subject.tokenizer.eos_token_id, sampling, pair.id)
        row = {"id": pair.id, "tokens": kept, "text": summaries.text_of(subject.tokenizer, kept)}
        files.write_hashed(path, lambda place: place.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8"))
    return kept


def _kept(path: Path) -> list[int] | None:
    """Tokens from disk; None if they are absent or damaged."""
    if not files.intact(path):
        return None
    return [int(token) for token in json.loads(path.read_text(encoding="utf-8"))["tokens"]]


def _scored(scoring: Scoring, tokenizer: Any, written: list[list[int]], protocol: str) -> list[Measured]:
    """Mean ROUGE over documents, and each document's for paired comparisons."""
    items, lengths = scoring.documents.items, [len(ids) for ids in written]
    data = text(scoring.documents, tuple(pair.id for pair in items))
    texts = [summaries.text_of(tokenizer, ids) for ids in written]

    def measured(metric: str, estimate: Estimate, own: dict[str, Any], count: int, tokens: int) -> Measured:
        return Measured(metric, estimate, own, count, tokens, scoring.window, None, protocol)

    found = []
    for metric, values in rouge.scores(texts, [pair.summary for pair in items]).items():
        mean = intervals.mean(values, scoring.bootstrap)
        found.append(measured(metric, mean, data, len(items), sum(lengths)))
        for pair, value, tokens in zip(items, values, lengths, strict=True):
            one = {**data, "ids": [pair.id]}
            found.append(measured(f"document_{metric}", Estimate(value), one, 1, tokens))
    return found


def _tuning(task: GovReportTask, training: Pairs) -> list[Measured]:
    """On how many pairs and for how long the second stage tuned, which the page tells."""
    data = {**text(training, ()), "ids": None}
    numbers = {"summary_epochs": task.epochs, "summary_steps": steps(task, len(training.items))}
    return [
        Measured(metric, Estimate(float(value)), data, len(training.items), protocol=TUNED)
        for metric, value in numbers.items()
    ]
