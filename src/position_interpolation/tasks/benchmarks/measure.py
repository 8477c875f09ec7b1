"""Zero-shot benchmarks measured on an extension, alone and against its base (Table 5)."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from position_interpolation.evidence import records
from position_interpolation.evidence.intervals import Estimate, mean, wilson
from position_interpolation.machine import compute, files
from position_interpolation.machine.progress import Progress
from position_interpolation.settings.schema import Method
from position_interpolation.tasks.benchmarks import questions
from position_interpolation.tasks.benchmarks import scores as choices
from position_interpolation.tasks.benchmarks.config import BenchmarksTask
from position_interpolation.tasks.benchmarks.questions import Questions
from position_interpolation.tasks.benchmarks.scores import Scores
from position_interpolation.tasks.measurement import Measured, Measurement, bos_of, common, raw
from position_interpolation.tuning.extension import Prepared, prepare


def measurements(prepared: Prepared, task: BenchmarksTask) -> Iterator[Measurement]:
    """One measurement per set, at the base's window L; an extension is also compared with its base.

    The base's scores are kept like the extension's own. So all extensions of a sweep share them, and the base is loaded
    only if they are not there yet.
    """
    config = prepared.config
    untouched = replace(config, method=Method("none"), train=replace(config.train, tune=False))
    base = None if prepared.treatment.method == "none" else prepare(untouched, listener=lambda _: None)
    asked = [questions.load(config.data, name, task.questions) for name in task.sets]
    for one in asked:

        def measure(one: Questions = one) -> list[Measured]:
            own = scores(prepared, one)
            found = _numbers(own, None if base is None else scores(base, one), task.bootstrap)
            data, count, tokens = one.described, len(one.items), int(own.tokens.sum())
            return [
                Measured(metric, value, data, count, tokens, config.model.window) for metric, value in found.items()
            ]

        against = None if base is None else base.parts
        parts = {**_scored_by(prepared, one), "against": against, "bootstrap": task.bootstrap}
        yield Measurement(parts, measure, task=one.name)


def scores(prepared: Prepared, asked: Questions) -> Scores:
    """A model's scores of every choice of a set, from disk if they are there undamaged."""
    path = raw(prepared.config, "choices", records.signature(_scored_by(prepared, asked)), ".npz")
    if files.intact(path):
        with np.load(path) as saved:
            return Scores(**saved)
    found = _score(prepared, asked)
    files.write_hashed(path, partial(np.savez, **vars(found)), suffix=".npz")
    return found


def _scored_by(prepared: Prepared, asked: Questions) -> dict[str, Any]:
    """Everything that can change the scores of a set."""
    window = prepared.config.model.window
    return {**common(prepared, None), "benchmarks": 1, "questions": asked.sha256, "window": window}


def _score(prepared: Prepared, asked: Questions) -> Scores:
    config = prepared.config
    built = choices.prompts(prepared.tokenizer, asked.items, config.model.window, bos_of(prepared, True))
    label = f"{asked.name}, {prepared.treatment.method} x{prepared.treatment.factor:g}"
    model = prepared.model  # tuned, if need be, before the bar starts
    with Progress(label, sum(len(prompt.tokens) for prompt in built), "tokens") as bar:
        found = choices.log_likelihoods(model, built, compute.tokens_per_forward(config.compute), bar)
    shape = (len(asked.items), -1)
    return Scores(
        found.reshape(shape),
        np.array([prompt.size for prompt in built]).reshape(shape),
        np.array([prompt.scored for prompt in built]).reshape(shape),
        np.asarray(np.array([prompt.cut for prompt in built]).reshape(shape).any(axis=1)),
        np.array([item.answer for item in asked.items]),
    )


def _numbers(own: Scores, base: Scores | None, bootstrap: int) -> dict[str, Estimate]:
    """Every number of a set. Changes are resampled as one difference a question, which pairs extension and base."""
    right, normalised, margins = choices.right(own), choices.right(own, normalised=True), choices.margins(own)
    found = {
        "accuracy": wilson(int(right.sum()), len(right)),
        "accuracy_normalised": wilson(int(normalised.sum()), len(normalised)),
        "margin": mean(margins, bootstrap),
        "truncated": Estimate(float(own.cut.mean())),
    }
    if base is not None:
        found["accuracy_change"] = mean(right - choices.right(base), bootstrap)
        found["margin_change"] = mean(margins - choices.margins(base), bootstrap)
    return found
