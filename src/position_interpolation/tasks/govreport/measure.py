"""Summaries measured on an extension (Table 6): tuned on pairs or not, and beside them the report's first tokens."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from position_interpolation.evidence import intervals, records
from position_interpolation.evidence.intervals import Estimate
from position_interpolation.machine import files
from position_interpolation.machine.progress import Progress
from position_interpolation.settings import derived
from position_interpolation.tasks.govreport import pairs, rouge, summaries
from position_interpolation.tasks.govreport.config import LEAD, TUNED, UNTUNED, GovReportTask, Lengths, summary_lengths
from position_interpolation.tasks.govreport.pairs import Pair, Pairs
from position_interpolation.tasks.govreport.summaries import Sampling
from position_interpolation.tasks.govreport.tuning import steps, tuned_on_summaries
from position_interpolation.tasks.measurement import Measured, Measurement, beginnings, common, raw, text, unseen
from position_interpolation.text import overlap
from position_interpolation.text.encoding import first_tokens, tokenizer_sha256
from position_interpolation.tuning.extension import Prepared


def measurements(prepared: Prepared, task: GovReportTask) -> Iterator[Measurement]:
    """ROUGE of the report's first tokens, the baseline without a model, then of what the extension writes (Table 6)."""
    config, tokenizer = prepared.config, prepared.tokenizer
    lengths, window = summary_lengths(config, task), derived.reach(config)
    documents = pairs.load(config.data, task.corpus, task.documents, task.ids)
    training = pairs.load(config.data, task.training) if task.tune else None
    if training is not None:
        scored = beginnings(documents, tokenizer, lengths.prompt)
        measured, seen = (overlap.pieces(corpus, prepared.cache) for corpus in (scored, training))
        overlap.refuse(measured, seen, "give the two corpora different parts or splits in conf/data")
    unseen(prepared, documents, lengths.prompt)
    scoring = {
        "govreport": 1, "data": documents.sha256, "window": window, "bootstrap": task.bootstrap,
        "rouge": rouge.implementation(),
    }  # fmt: skip
    score = partial(_scored, documents, tokenizer, window, task.bootstrap)

    def lead() -> list[Measured]:
        return score([first_tokens(tokenizer, pair.text, lengths.summary) for pair in documents.items], LEAD)

    parts = {**scoring, "tokenizer": tokenizer_sha256(tokenizer), "lead": lengths.summary}
    yield Measurement(parts, lead, subject=lambda _: None)
    subject = prepared if training is None else tuned_on_summaries(prepared, task, training, lengths)
    sampling = Sampling(task.temperature, task.top_p, lengths.summary, config.seed)
    drawn = {**common(subject, None), "prompt": lengths.prompt, **asdict(sampling)}

    def written() -> list[Measured]:
        folder, texts = raw(config, "summaries", records.signature(drawn)), []
        with Progress("summaries", len(documents.items), "documents") as bar:
            for pair in documents.items:
                texts.append(write(subject, pair, lengths, sampling, folder))
                bar(1)
        return score(texts, UNTUNED) if training is None else [*score(texts, TUNED), *_tuning(task, training)]

    yield Measurement({**drawn, **scoring}, written, subject=lambda _: subject)


def write(subject: Prepared, pair: Pair, lengths: Lengths, sampling: Sampling, folder: Path) -> list[int]:
    """Tokens of one document's summary, from `folder` if it is there undamaged, else written now and kept there."""
    prompt = summaries.prompt(subject.tokenizer, pair.text, lengths.prompt)
    path = folder / f"{records.signature({'id': pair.id, 'prompt': prompt})}.json"
    if files.intact(path):
        return [int(token) for token in json.loads(path.read_text(encoding="utf-8"))["tokens"]]
    tokens = summaries.write(subject.model, prompt, subject.tokenizer.eos_token_id, sampling, pair.id)
    row = {"id": pair.id, "tokens": tokens, "text": summaries.text_of(subject.tokenizer, tokens)}
    files.write_hashed(path, lambda place: place.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8"))
    return tokens


def _scored(
    documents: Pairs, tokenizer: Any, window: int, bootstrap: int, written: list[list[int]], protocol: str
) -> list[Measured]:
    """Mean ROUGE over documents, and each document's for paired comparisons."""
    items, lengths = documents.items, [len(ids) for ids in written]
    data = text(documents, tuple(pair.id for pair in items))
    texts = [summaries.text_of(tokenizer, ids) for ids in written]
    where: dict[str, Any] = {"eval_window": window, "protocol": protocol}
    found = []
    for metric, values in rouge.scores(texts, [pair.summary for pair in items]).items():
        mean = intervals.mean(values, bootstrap)
        found.append(Measured(metric, mean, data, len(items), sum(lengths), **where))
        for pair, value, tokens in zip(items, values, lengths, strict=True):
            one = {**data, "ids": [pair.id]}
            found.append(Measured(f"document_{metric}", Estimate(value), one, 1, tokens, **where))
    return found


def _tuning(task: GovReportTask, training: Pairs) -> list[Measured]:
    """On how many pairs and for how long the second stage tuned, which the page tells."""
    data = {**text(training, ()), "ids": None}
    numbers = {"summary_epochs": task.epochs, "summary_steps": steps(task, len(training.items))}
    return [
        Measured(metric, Estimate(float(value)), data, len(training.items), protocol=TUNED)
        for metric, value in numbers.items()
    ]
