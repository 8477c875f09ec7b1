"""Sliding-window perplexity measured on an extension (Tables 1-3)."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from position_interpolation.evidence import records
from position_interpolation.evidence.intervals import Estimate
from position_interpolation.evidence.select import OF_ALL_WINDOWS
from position_interpolation.machine import compute
from position_interpolation.machine.progress import Progress
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.measurement import Measured, Measurement, bos_of, common, text, unseen
from position_interpolation.tasks.perplexity import config as perplexity_config
from position_interpolation.tasks.perplexity import losses, sampling, windows
from position_interpolation.tasks.perplexity.config import PerplexityTask
from position_interpolation.tasks.perplexity.losses import Tokenised
from position_interpolation.tasks.perplexity.windows import DOCUMENT_LOSSES, Scored
from position_interpolation.text import corpora
from position_interpolation.text.corpora import Documents
from position_interpolation.tuning.extension import Prepared


def measurements(prepared: Prepared, task: PerplexityTask) -> Iterator[Measurement]:
    """One measurement per evaluation window (Tables 1-3).

    Raises:
        UsageError: no document is long enough for a window, or the extension was tuned on one.
    """
    config = prepared.config
    minimum = perplexity_config.multiple(config, task.minimum_factor)
    truncate = perplexity_config.multiple(config, task.truncate_factor)
    documents, corpus = corpus_of(prepared, task, minimum, truncate)
    stride, bos = perplexity_config.stride(config, task), bos_of(prepared, task.bos)
    sampled = {} if task.sample is None else {"sample": task.sample}
    data = text(documents, tuple(corpus), minimum=minimum, truncate=truncate, bos=bos is not None, **sampled)
    longest = max(map(len, corpus.values())) + (bos is not None)
    for window in derived.evaluation_windows(config, task):
        if window > longest:
            raise UsageError(
                f"no document of corpus '{task.corpus}' fills a window of {window}, the longest has {longest} "
                "positions: lower task.window_factors or raise task.truncate_factor"
            )
    sizes = cache(partial(losses.scored_bytes, documents, corpus, prepared.tokenizer, bos))
    for window in derived.evaluation_windows(config, task):
        losses_of = {
            **common(prepared, documents), "perplexity": 1, "window": window, "stride": stride, "bos": bos,
            "minimum": minimum, "truncate": truncate,
        }  # fmt: skip
        if task.sample is not None:
            losses_of["sample"] = (task.sample, config.seed)
        parts = {**losses_of, "protocols": list(task.protocols), "bootstrap": task.bootstrap, "by_document": 2}
        yield Measurement(parts, partial(_measure, prepared, task, corpus, losses_of, data, sizes))


def corpus_of(prepared: Prepared, task: Any, minimum: int | None, truncate: int | None) -> tuple[Documents, Tokenised]:
    """The first documents of a task that are long enough, and their token ids, of which the first `truncate` are kept.

    The task's settings must have `corpus`, `documents` and `ids`.

    Raises:
        UsageError: no document has `minimum` tokens, or the extension was tuned on one.
    """
    everything = corpora.load(prepared.config.data, task.corpus, ids=task.ids)
    documents = losses.long_enough(everything, prepared.tokenizer, minimum, task.documents)
    unseen(prepared, documents, truncate)
    return documents, losses.tokenise(documents, prepared.tokenizer, minimum, truncate)


def _measure(
    prepared: Prepared, task: PerplexityTask, corpus: Tokenised, losses_of: dict[str, Any], data: dict[str, Any],
    sizes: Callable[[], list[int]],
) -> list[Measured]:  # fmt: skip
    """Everything at one window; `sizes` gives the bytes of each document's scored tokens."""
    window, stride = losses_of["window"], losses_of["stride"]
    found: list[Measured] = []
    for overlapping in (False, True):
        protocols = [name for name in task.protocols if (name == "overlapping") == overlapping]
        if protocols:
            scored = token_losses(prepared, corpus, losses_of, overlapping)
            found += aggregate(scored, protocols, task.bootstrap, data, window, stride)
        if "token" in protocols and task.sample is not None:
            whole, tokens = sampling.of_all_windows(scored), sum(len(document.losses) for document in scored)
            found.append(Measured(OF_ALL_WINDOWS, whole, data, len(scored), tokens, window, stride, "token"))
        if "token" in protocols:
            bits = windows.bits_per_byte(scored, sizes(), task.bootstrap)
            found.append(Measured("bits_per_byte", bits, data, len(scored), None, window, stride, "token"))
    return found


def token_losses(prepared: Prepared, corpus: Tokenised, losses_of: dict[str, Any], overlapping: bool) -> list[Scored]:
    """Token losses at one window, from disk as far as they are there."""
    config, window, stride, bos = prepared.config, losses_of["window"], losses_of["stride"], losses_of["bos"]
    if overlapping:
        corpus = {"all": np.concatenate([*corpus.values()])}
    planned = losses.plans(
        corpus, window, stride, bos=bos is not None, overlapping=overlapping, sample=losses_of.get("sample")
    )
    own = records.signature({name: losses_of[name] for name in ("extension", "dtype")})
    model = prepared.model  # tuned, if need be, before the bar starts
    positions = sum(losses.positions(document, bos) for document in planned)
    size, folder = compute.tokens_per_forward(config.compute), Path(config.paths.runs) / "losses" / own
    with Progress(f"perplexity at {window}", positions, "tokens") as bar:
        return losses.token_losses(
            model, corpus, planned, bos=bos, tokens_per_forward=size, folder=folder, again=config.measure_again,
            progress=bar,
        )  # fmt: skip


def aggregate(
    scored: list[Scored], protocols: list[str], bootstrap: int, data: dict[str, Any], window: int, stride: int
) -> list[Measured]:
    """Perplexity under each protocol; under `token` and `window` also each document's loss, for paired comparisons."""
    count = len(data["ids"])  # `overlapping` scores them as one text
    found = []
    for protocol in protocols:
        tokens = int(sum(windows.scored_tokens(document, protocol) for document in scored))
        estimate = windows.perplexity(scored, protocol, bootstrap)
        found.append(Measured("perplexity", estimate, data, count, tokens, window, stride, protocol))
    for protocol in [name for name in DOCUMENT_LOSSES if name in protocols]:
        for identifier, document in zip(data["ids"], scored, strict=True):
            total, weight = windows.ratio(document, protocol)
            loss, one = Estimate(total / weight), {**data, "ids": [identifier]}
            tokens = len(document.losses)
            found.append(Measured(DOCUMENT_LOSSES[protocol], loss, one, 1, tokens, window, stride, protocol))
    return found
