"""Passkey retrieval measured on an extension (Table 4)."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from position_interpolation.evidence.intervals import Estimate, log_likelihood, wilson
from position_interpolation.evidence.k_max import LONGEST, SUCCESS, k_max
from position_interpolation.machine import compute
from position_interpolation.machine.progress import Progress
from position_interpolation.models.answers import fingerprint, read, tokens, write
from position_interpolation.tasks.measurement import Measured, Measurement, common, keep_answers
from position_interpolation.tasks.passkey import prompts
from position_interpolation.tasks.passkey.config import PasskeyTask, prompt_lengths
from position_interpolation.tasks.passkey.prompts import Probe
from position_interpolation.text.encoding import decode
from position_interpolation.tuning.extension import Prepared


def measurements(prepared: Prepared, task: PasskeyTask) -> Iterator[Measurement]:
    """Success at every distance, and k_max (Table 4), in prompts of each length.

    Raises:
        UsageError: a prompt is too short for its lines.
    """
    lengths = prompt_lengths(prepared.config, task)
    for window in lengths:
        prompts.build(prepared.tokenizer, "1" * task.digits, window, window, match=task.match)
    for window in lengths:
        yield _measurement(prepared, task, window)


def _measurement(prepared: Prepared, task: PasskeyTask, window: int) -> Measurement:
    """Success and k_max in prompts of one length.

    `task.generate` is no part of the signature: greedy decoding writes the key where every digit is the likeliest, so
    both ways of reading answers give the same verdicts. Near ties in bfloat16 may turn.
    """
    seed = prepared.config.seed if task.prompts_seed is None else task.prompts_seed
    shape = {
        "passkey": 5, "window": window, "match": task.match, "distances": task.distances, "trials": task.trials,
        "digits": task.digits, "threshold": task.threshold, "seed": seed,
    }  # fmt: skip

    def probes() -> list[Probe]:
        return prompts.probes(prepared.tokenizer, window, task.distances, task.trials, task.digits, seed, task.match)

    def measure() -> list[Measured]:
        trials, model = probes(), prepared.model  # tuned, if need be, before the bar starts
        with Progress(f"passkey at {window}", tokens(trials), "tokens") as bar:
            readings = read(model, trials, compute.tokens_per_forward(prepared.config.compute), bar)
        hits = [all(reading.greedy) for reading in readings]
        if task.generate or task.match == "number":
            hits = [hit for hit, _ in _written(prepared, task, trials)]
        return list(numbers(trials, hits, list(map(prompts.log_likelihood, trials, readings)), task, window))

    def answers() -> list[dict[str, Any]]:
        trials = probes()
        return [
            {
                "length": window, "label": probe.label, "distance": probe.distance, "key": probe.key,
                "written": text, "right": hit,
            }
            for probe, (hit, text) in zip(trials, _written(prepared, task, trials), strict=True)
        ]  # fmt: skip

    keep = partial(keep_answers, prepared, f"{window}-{task.match}", answers)
    beside = keep if task.keep_answers else lambda _: None
    return Measurement({**common(prepared, None), **shape}, measure, beside=beside)


def numbers(
    trials: Sequence[Probe], hits: Sequence[bool], likelihoods: Sequence[float], task: PasskeyTask, window: int
) -> Iterator[Measured]:
    """Success and the key's log-likelihood, by distance and over all; the nearest and farthest key; and k_max."""
    data = {
        "name": "passkey", "source": "generated", "sha256": fingerprint(trials), "ids": None,
        "threshold": task.threshold,
    }  # fmt: skip
    found: dict[int, list[tuple[bool, float]]] = {probe.label: [] for probe in trials}  # ascending, as probes are made
    for probe, hit, likelihood in zip(trials, hits, likelihoods, strict=True):
        found[probe.label].append((hit, likelihood))
    wins = {k: sum(hit for hit, _ in own) for k, own in found.items()}
    built = [probe.distance for probe in trials]

    def measured(metric: str, estimate: Estimate, count: int, at: int | None = None) -> Measured:
        positions = count * len(trials[0].prompt)
        return Measured(metric, estimate, data, count, positions, window, protocol=task.match, at=at)

    for k, won in wins.items():
        yield measured(SUCCESS, wilson(won, task.trials), task.trials, k)
    yield measured(SUCCESS, wilson(sum(hits), len(hits)), len(hits))
    for k, own in found.items():
        yield measured("key_log_likelihood", log_likelihood([value for _, value in own]), task.trials, k)
    yield measured("key_log_likelihood", log_likelihood(likelihoods), len(hits))
    yield measured("nearest_key", Estimate(min(built)), len(hits))
    yield measured("farthest_key", Estimate(max(built)), len(hits))
    yield measured(LONGEST, k_max(wins, task.trials, task.threshold), len(hits))


def _written(prepared: Prepared, task: PasskeyTask, trials: Sequence[Probe]) -> list[tuple[bool, str]]:
    """Whether each answer that greedy decoding writes is right, and its text."""
    model, size = prepared.model, compute.tokens_per_forward(prepared.config.compute)
    with Progress("answers written", tokens(trials), "tokens") as bar:
        written = write(model, trials, task.digits + prompts.BESIDE, size, bar)
    return [
        (prompts.right(prepared.tokenizer, probe, ids, task.match), decode(prepared.tokenizer, ids))
        for probe, ids in zip(trials, written, strict=True)
    ]
