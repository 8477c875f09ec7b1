"""Harder retrieval, measured on an extension."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from position_interpolation.evidence import intervals
from position_interpolation.evidence.intervals import Estimate, wilson
from position_interpolation.machine import compute
from position_interpolation.machine.progress import Progress
from position_interpolation.models.answers import fingerprint, read, tokens, write
from position_interpolation.settings.derived import evaluation_windows
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.measurement import Measured, Measurement, common, keep_answers
from position_interpolation.tasks.retrieval.config import RetrievalTask, asked
from position_interpolation.tasks.retrieval.probes import Probe, log_likelihood, mistaken, probes, right
from position_interpolation.text.encoding import decode
from position_interpolation.tuning.extension import Prepared

BY_DISTANCE = ("keys", "pairs")  # kinds in which a single line says the answer


@dataclass(frozen=True)
class Answered:
    """How a model answered some trials."""

    hits: list[bool]
    likelihoods: list[float]  # nats per digit
    written: list[tuple[Probe, str]]  # some trials that are not right, with what was written instead


def measurements(prepared: Prepared, task: RetrievalTask) -> Iterator[Measurement]:
    """Every kind and count in prompts of each length that has room for it.

    Raises:
        UsageError: a kind and count fit no prompt.
    """
    windows, seed = evaluation_windows(prepared.config, task), prepared.config.seed
    found = {
        (kind, count, window): probes(prepared.tokenizer, kind, count, window, task.trials, task.digits, seed)
        for kind, count in asked(task)
        for window in windows
    }
    for kind, count in asked(task):
        if not any(found[kind, count, window] for window in windows):
            raise UsageError(
                f"task.{kind} has {count}, which fit no prompt of {' or '.join(map(str, windows))} tokens: raise "
                "task.window_factors or ask for fewer"
            )
    for (kind, count, window), trials in found.items():
        if trials:
            yield _measurement(prepared, task, trials, {"kind": kind, "count": count}, window)


def _measurement(
    prepared: Prepared, task: RetrievalTask, trials: Sequence[Probe], asked: dict[str, Any], window: int
) -> Measurement:
    """One kind and count in prompts of one length."""
    about = "{kind} {count}".format(**asked)
    shape = {
        "retrieval": 1, **asked, "window": window, "trials": task.trials, "digits": task.digits,
        "distances": task.distances, "written": task.written, "seed": prepared.config.seed,
    }  # fmt: skip
    data = {
        "name": f"{about} in {window} tokens", **asked, "source": "generated", "sha256": fingerprint(trials),
        "ids": None,
    }  # fmt: skip
    answered = cache(partial(_answered, prepared, trials, task.written))

    def lines() -> list[dict[str, Any]]:
        """What the model wrote where its answer is not right."""
        return [
            {
                "question": probe.puzzle.question, "distance": probe.distance, "values": probe.puzzle.values,
                "written": text, "wrong_number": mistaken(probe, text),
                "prompt": decode(prepared.tokenizer, probe.prompt),
            }
            for probe, text in answered().written
        ]  # fmt: skip

    keep = partial(keep_answers, prepared, f"{about.replace(' ', '-')}-{window}", lines)
    return Measurement(
        {**common(prepared, None), **shape},
        lambda: list(numbers(trials, answered(), data, window, task.distances)),
        beside=keep if task.keep_answers else lambda _: None,
    )


def numbers(
    trials: Sequence[Probe], found: Answered, data: dict[str, Any], window: int, distances: int
) -> Iterator[Measured]:
    """Success over all and by distance, the values' log-likelihood, and how often another number was written.

    The trials are of one kind, count and length (`window`), which `data` describes. For success by distance the window
    is divided into `distances` equal parts.
    """

    def measured(metric: str, estimate: Estimate, count: int, at: int | None = None) -> Measured:
        return Measured(metric, estimate, data, count, count * len(trials[0].prompt), window, protocol="key", at=at)

    yield measured("retrieved", wilson(sum(found.hits), len(trials)), len(trials))
    part = window // distances
    for end in range(part, window + 1, part) if data["kind"] in BY_DISTANCE else ():
        own = [hit for probe, hit in zip(trials, found.hits, strict=True) if end - part < probe.distance <= end]
        if own:
            yield measured("retrieved", wilson(sum(own), len(own)), len(own), end)
    yield measured("answer_log_likelihood", intervals.log_likelihood(found.likelihoods), len(trials))
    if found.written:
        mistakes = [mistaken(*pair) for pair in found.written]
        yield measured("wrong_number", wilson(sum(mistakes), len(mistakes)), len(mistakes))
    yield measured("chance", Estimate(trials[0].puzzle.chance), len(trials))


def _answered(prepared: Prepared, trials: Sequence[Probe], most: int) -> Answered:
    """Read every trial's answer off one forward, and let the first `most` failures be written by greedy decoding."""
    model, size = prepared.model, compute.tokens_per_forward(prepared.config.compute)
    with Progress("answers read", tokens(trials), "tokens") as bar:
        readings = read(model, trials, size, bar)
    hits = list(map(right, trials, readings))
    failures = [probe for probe, hit in zip(trials, hits, strict=True) if not hit][:most]
    written = []
    if failures:
        with Progress("failures written", tokens(failures), "tokens") as bar:
            ids = write(model, failures, len(failures[0].answer), size, bar)
        written = list(zip(failures, (decode(prepared.tokenizer, own) for own in ids), strict=True))
    return Answered(hits, list(map(log_likelihood, trials, readings)), written)
