"""Passkey retrieval measured on an extension (Table 4)."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from position_interpolation.evidence.intervals import Estimate, log_likelihood, wilson
from position_interpolation.evidence.k_max import k_max
from position_interpolation.machine import compute
from position_interpolation.machine.progress import Progress
from position_interpolation.models.answers import fingerprint, tokens, write
from position_interpolation.tasks.measurement import Measured, Measurement, common, keep_answers
from position_interpolation.tasks.passkey import prompts
from position_interpolation.tasks.passkey.config import PasskeyTask, prompt_lengths, prompts_seed
from position_interpolation.tasks.passkey.prompts import Probe
from position_interpolation.text.encoding import decode
from position_interpolation.tuning.extension import Prepared


def measurements(prepared: Prepared, task: PasskeyTask) -> Iterator[Measurement]:
    """Retrieval at every distance, and k_max (Table 4), in prompts of each length.

    Raises:
        UsageError: a prompt is too short for its lines.
    """
    lengths = prompt_lengths(prepared.config, task)
    for window in lengths:
        prompts.build(prepared.tokenizer, "1" * task.digits, window, window, match=task.match)
    for window in lengths:
        # `generate` is no part of the signature: greedy decoding writes the key where every digit is the likeliest, so
        # both ways of reading answers give the same verdicts. Near ties in bfloat16 may turn.
        shape = {
            "passkey": 5, "window": window, "match": task.match, "distances": task.distances, "trials": task.trials,
            "digits": task.digits, "threshold": task.threshold, "seed": prompts_seed(prepared.config, task),
        }  # fmt: skip
        yield Measurement(
            {**common(prepared, None), **shape},
            partial(_measure, prepared, task, window),
            beside=partial(_keep_answers, prepared, task, window) if task.keep_answers else lambda _: None,
        )


def _measure(prepared: Prepared, task: PasskeyTask, window: int) -> list[Measured]:
    trials = _probes(prepared, task, window)
    model = prepared.model  # tuned, if need be, before the bar starts
    with Progress(f"passkey at {window}", tokens(trials), "tokens") as bar:
        read = prompts.read(model, trials, compute.tokens_per_forward(prepared.config.compute), bar)
    hits = [reading.right for reading in read]
    if task.generate or task.match == "number":
        hits = [hit for hit, _ in _written(prepared, task, trials)]
    return list(numbers(trials, hits, [reading.log_likelihood for reading in read], task, window))


def numbers(
    trials: Sequence[Probe], hits: Sequence[bool], likelihoods: Sequence[float], task: PasskeyTask, window: int
) -> Iterator[Measured]:
    """Success and the key's log-likelihood, by distance and over all; the nearest and farthest key; and k_max."""
    data = {
        "name": "passkey", "source": "generated", "sha256": fingerprint(trials), "ids": None,
        "threshold": task.threshold,
    }  # fmt: skip
    wins = prompts.successes(trials, hits)
    built = [probe.distance for probe in trials]

    def measured(metric: str, estimate: Estimate, count: int, at: int | None = None) -> Measured:
        read = count * len(trials[0].prompt)
        return Measured(metric, estimate, data, count, read, window, protocol=task.match, at=at)

    for k, won in sorted(wins.items()):
        yield measured("success", wilson(won, task.trials), task.trials, k)
    yield measured("success", wilson(sum(hits), len(hits)), len(hits))
    for k in sorted(wins):
        own = [value for probe, value in zip(trials, likelihoods, strict=True) if probe.label == k]
        yield measured("key_log_likelihood", log_likelihood(own), task.trials, k)
    yield measured("key_log_likelihood", log_likelihood(likelihoods), len(hits))
    yield measured("nearest_key", Estimate(min(built)), len(hits))
    yield measured("farthest_key", Estimate(max(built)), len(hits))
    yield measured("k_max", k_max(wins, task.trials, task.threshold), len(hits))


def _keep_answers(prepared: Prepared, task: PasskeyTask, window: int, signature: str) -> None:
    """Write what the model answers to each probe."""

    def lines() -> list[dict[str, Any]]:
        trials = _probes(prepared, task, window)
        return [
            {
                "length": window, "label": probe.label, "distance": probe.distance, "key": probe.key,
                "written": text, "right": hit,
            }
            for probe, (hit, text) in zip(trials, _written(prepared, task, trials), strict=True)
        ]  # fmt: skip

    keep_answers(prepared, f"{window}-{task.match}", signature, lines)


def _written(prepared: Prepared, task: PasskeyTask, trials: Sequence[Probe]) -> list[tuple[bool, str]]:
    """Whether each answer that greedy decoding writes is right, and its text."""
    model, size = prepared.model, compute.tokens_per_forward(prepared.config.compute)
    with Progress("answers written", tokens(trials), "tokens") as bar:
        written = write(model, trials, prompts.writing(task.digits), size, bar)
    return [
        (prompts.right(prepared.tokenizer, probe, ids, task.match), decode(prepared.tokenizer, ids))
        for probe, ids in zip(trials, written, strict=True)
    ]


def _probes(prepared: Prepared, task: PasskeyTask, window: int) -> list[Probe]:
    seed = prompts_seed(prepared.config, task)
    return prompts.probes(prepared.tokenizer, window, task.distances, task.trials, task.digits, seed, task.match)
