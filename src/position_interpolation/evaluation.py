"""From a prepared extension and a task to measurements: what is computed, and the signature it is kept under."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from position_interpolation import compute, corpora, packing, records, settings
from position_interpolation.config import PasskeyTask, PerplexityTask, PositionsTask
from position_interpolation.corpora import Documents
from position_interpolation.errors import UsageError
from position_interpolation.extension import Prepared
from position_interpolation.progress import Progress
from position_interpolation.tasks import passkey, perplexity, positions, windows
from position_interpolation.tasks.perplexity import Tokenised
from position_interpolation.tasks.windows import Estimate, Scored


@dataclass(frozen=True)
class Measured:
    """One measured number, before it becomes a record."""

    metric: str
    estimate: Estimate
    data: dict[str, Any]
    n_documents: int | None = None
    n_tokens: int | None = None
    eval_window: int | None = None
    stride: int | None = None
    protocol: str | None = None


@dataclass(frozen=True)
class Measurement:
    """One thing to measure: everything that can change its numbers, and how to get them."""

    parts: dict[str, Any]
    measure: Callable[[], list[Measured]]


def measurements(prepared: Prepared) -> Iterator[Measurement]:
    """What the run's task asks of the extension, in order."""
    task = prepared.config.task
    if isinstance(task, PerplexityTask):
        yield from _perplexities(prepared, task)
    if isinstance(task, PositionsTask):
        yield _positions(prepared, task)
    if isinstance(task, PasskeyTask):
        yield _passkey(prepared, task)


def _perplexities(prepared: Prepared, task: PerplexityTask) -> Iterator[Measurement]:
    """One measurement an evaluation window (Tables 1-3)."""
    config = prepared.config
    documents = corpora.load(config.data, task.corpus, task.documents, task.ids)
    minimum, truncate = (settings.multiple(config, factor) for factor in (task.minimum_factor, task.truncate_factor))
    corpus = perplexity.tokenise(documents, prepared.tokenizer, minimum, truncate)
    data = _data(documents, corpus.ids)
    stride, bos = settings.stride(config, task), _bos(prepared, task.bos)
    longest = max(map(len, corpus.tokens)) + (bos is not None)
    for window in settings.evaluation_windows(config, task):
        if window > longest:
            raise UsageError(
                f"no document of corpus '{task.corpus}' fills a window of {window}, the longest has {longest} "
                "positions: lower task.window_factors or raise task.truncate_factor"
            )
    for window in settings.evaluation_windows(config, task):
        losses_of = {
            **_common(prepared, documents),
            "perplexity": 1,
            "window": window,
            "stride": stride,
            "bos": bos,
            "minimum": minimum,
            "truncate": truncate,
        }

        def measure(window: int = window, losses_of: dict[str, Any] = losses_of) -> list[Measured]:
            found: list[Measured] = []
            for overlapping in (False, True):
                protocols = [name for name in task.protocols if (name == "overlapping") == overlapping]
                if protocols:
                    scored = _losses(prepared, corpus, losses_of, overlapping)
                    found += _aggregate(scored, protocols, task.bootstrap, data, window, stride)
                if "token" in protocols:
                    sizes = perplexity.scored_bytes(corpus, prepared.tokenizer, bos)
                    bits = windows.bits_per_byte(scored, sizes, task.bootstrap)
                    found.append(Measured("bits_per_byte", bits, data, len(scored), None, window, stride, "token"))
            return found

        parts = {**losses_of, "protocols": list(task.protocols), "bootstrap": task.bootstrap}
        yield Measurement(parts, measure)


def _losses(prepared: Prepared, corpus: Tokenised, losses_of: dict[str, Any], overlapping: bool) -> list[Scored]:
    """Raw token losses at one window, from disk as far as they are there."""
    window, stride, bos = losses_of["window"], losses_of["stride"], losses_of["bos"]
    if overlapping:
        corpus = Tokenised(("all",), (np.concatenate(corpus.tokens),))
    key = records.signature({**losses_of, "overlapping": overlapping})
    with perplexity.progress_bar(f"perplexity at {window}", corpus, [window], stride, bos) as bar:
        return perplexity.token_losses(
            prepared.model,
            corpus,
            window,
            stride,
            bos=bos,
            overlapping=overlapping,
            tokens_per_forward=prepared.config.compute.tokens_per_forward,
            folder=Path(prepared.config.paths.runs) / "losses" / key,
            progress=bar,
        )


def _aggregate(
    scored: list[Scored],
    protocols: list[str],
    bootstrap: int,
    data: dict[str, Any],
    window: int,
    stride: int,
) -> list[Measured]:
    """Perplexity under each protocol; under `token` also each document's mean loss, for paired comparisons."""
    count = len(scored)
    found = []
    for protocol in protocols:
        tokens = int(sum(windows.scored_tokens(document, protocol) for document in scored))
        estimate = windows.perplexity(scored, protocol, bootstrap)
        found.append(Measured("perplexity", estimate, data, count, tokens, window, stride, protocol))
    if "token" in protocols:
        for identifier, document in zip(data["ids"], scored, strict=True):
            loss = Estimate(float(document.losses.mean()), None, None)
            one = {**data, "ids": [identifier]}
            tokens = len(document.losses)
            found.append(Measured("document_loss", loss, one, 1, tokens, window, stride, "token"))
    return found


def _positions(prepared: Prepared, task: PositionsTask) -> Measurement:
    """Perplexity by position inside one long forward a document."""
    config = prepared.config
    window = task.window or config.model.window * 3 // 2
    block = task.block or config.model.window // 4
    documents = corpora.load(config.data, task.corpus, task.documents, task.ids)
    bos = _bos(prepared, task.bos)
    tokens = window - (bos is not None)
    corpus = perplexity.tokenise(documents, prepared.tokenizer, minimum=tokens, truncate=tokens)
    data = _data(documents, corpus.ids)
    losses_of = {
        **_common(prepared, documents), "positions": 1, "window": window, "stride": 1, "bos": bos,
        "minimum": tokens, "truncate": tokens,
    }  # fmt: skip

    def measure() -> list[Measured]:
        scored = _losses(prepared, corpus, losses_of, overlapping=False)
        return [
            Measured(f"perplexity_{start}_{stop}", estimate, data, len(scored), count, window, None, "token")
            for start, stop, estimate, count in positions.by_block(scored, window, block)
        ]

    return Measurement({**losses_of, "block": block}, measure)


def _passkey(prepared: Prepared, task: PasskeyTask) -> Measurement:
    """Retrieval at every distance, and k_max (Table 4)."""
    config = prepared.config
    window = task.window or settings.reach(config)
    # The verdicts of both modes agree, so `generate` is no part of the signature.
    shape = {
        "passkey": 2, "window": window, "distances": task.distances, "trials": task.trials,
        "digits": task.digits, "threshold": task.threshold, "seed": config.seed,
    }  # fmt: skip

    def measure() -> list[Measured]:
        trials = passkey.probes(prepared.tokenizer, window, task.distances, task.trials, task.digits, config.seed)
        with Progress(f"passkey at {window}", sum(len(probe.prompt) for probe in trials), "tokens") as bar:
            hits = passkey.verdicts(prepared.model, trials, config.compute.tokens_per_forward, task.generate, bar)
        wins = passkey.successes(trials, hits)
        data = {"name": "passkey", "source": "generated", "sha256": passkey.fingerprint(trials), "ids": None}
        length = len(trials[0].prompt)

        def measured(metric: str, estimate: Estimate, count: int) -> Measured:
            return Measured(metric, estimate, data, count, count * length, window)

        found = [
            measured(f"success_at_{k}", passkey.wilson(won, task.trials), task.trials)
            for k, won in sorted(wins.items())
        ]
        found.append(measured("success", passkey.wilson(sum(hits), len(hits)), len(hits)))
        built = [probe.distance for probe in trials]
        found.append(measured("nearest_key", Estimate(min(built), None, None), len(hits)))
        found.append(measured("farthest_key", Estimate(max(built), None, None), len(hits)))
        found.append(measured("k_max", passkey.k_max(wins, task.trials, task.threshold), len(hits)))
        return found

    return Measurement({**_common(prepared, None), **shape}, measure)


def _common(prepared: Prepared, documents: Documents | None) -> dict[str, Any]:
    """What every signature holds."""
    return {
        "extension": prepared.parts,
        "tokenizer": packing.tokenizer_sha256(prepared.tokenizer),
        "data": None if documents is None else documents.sha256,
        "dtype": compute.dtype(prepared.config.compute),
    }


def _data(documents: Documents, ids: tuple[str, ...]) -> dict[str, Any]:
    return {"name": documents.name, "source": documents.source, "sha256": documents.sha256, "ids": list(ids)}


def _bos(prepared: Prepared, wanted: bool) -> int | None:
    return packing.bos(prepared.tokenizer) if wanted else None
