"""LongPPL measured on an extension."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from position_interpolation.evidence.intervals import Floats
from position_interpolation.models import checkpoint, tokenizing
from position_interpolation.settings import naming
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Method
from position_interpolation.tasks.longppl import key_tokens
from position_interpolation.tasks.longppl.config import LongPPLTask, contexts
from position_interpolation.tasks.longppl.key_tokens import ALL, KEY
from position_interpolation.tasks.measurement import Measured, Measurement, bos_of, common, text
from position_interpolation.tasks.perplexity.measure import corpus_of, token_losses
from position_interpolation.text.encoding import tokenizer_sha256
from position_interpolation.tuning.extension import Prepared, prepare

SAMPLES = 1000  # of the bootstrap


def measurements(prepared: Prepared, task: LongPPLTask) -> Iterator[Measurement]:
    """Perplexity over key tokens, and over all tokens.

    Both contexts are the sliding windows of `tasks/perplexity/windows.py`, which score every token once. So the losses
    at two windows are of the same tokens. In the first short window both contexts are the same, and no token is key.

    Raises:
        UsageError: the evaluator has another tokenizer, no document is long enough, or the extension was tuned on one.
    """
    lengths, evaluator = contexts(prepared.config, task), _evaluator(prepared, str(task.evaluator))
    bos = bos_of(prepared, True)
    cut = {"minimum": lengths.long - (bos is not None), "truncate": task.truncate_factor * prepared.config.model.window}
    documents, corpus = corpus_of(prepared, task, **cut)
    judged = {
        "evaluator": evaluator.config.model.name, "evaluator_sha256": evaluator.weights_sha256,
        "alpha": task.alpha, "beta": task.beta, **asdict(lengths),
    }  # fmt: skip
    data = {**text(documents, tuple(corpus), **cut, bos=bos is not None, **judged), **judged}

    def losses_of(reader: Prepared, window: int) -> dict[str, Any]:
        whole = {**common(reader, documents), "perplexity": 1, "window": window, "stride": lengths.block}
        return {**whole, "bos": bos, **cut}

    def scored(reader: Prepared, window: int) -> list[Floats]:
        return [one.losses for one in token_losses(reader, corpus, losses_of(reader, window), overlapping=False)]

    def measure() -> list[Measured]:
        """Perplexity over key tokens, and over all; an evaluator that finds no key token is refused."""
        long, short = scored(evaluator, lengths.long), scored(evaluator, lengths.short)
        own = scored(prepared, lengths.long)
        keys = [key_tokens.key(*pair, task.alpha, task.beta) for pair in zip(long, short, strict=True)]
        found = []
        for metric, marks in ((KEY, keys), (ALL, [np.ones_like(each) for each in keys])):
            tokens, read = sum(int(each.sum()) for each in marks), sum(bool(each.any()) for each in marks)
            if not tokens:
                raise UsageError(
                    f"task.evaluator={task.evaluator} finds no key token in {len(own)} documents: read more text "
                    "(task.documents, task.truncate_factor), lower task.alpha or task.beta, or set another"
                )
            estimate = key_tokens.over(own, marks, SAMPLES)
            found.append(Measured(metric, estimate, data, read, tokens, lengths.long, lengths.block))
        return found

    parts = {**losses_of(prepared, lengths.long), "longppl": 1, "judge": common(evaluator, None), **judged}
    yield Measurement(parts, measure)


def _evaluator(prepared: Prepared, place: str) -> Prepared:
    """The model that decides which tokens are key, as a base of its own; one of another tokenizer is refused."""
    config = prepared.config
    own: dict[str, Any] = {"name": naming.of(place, "evaluator"), "window": checkpoint.window("path", place, None)}
    if any((Path(place) / name).is_file() for name in tokenizing.FILES):
        own["tokenizer"] = None  # model.tokenizer is that of the run's base
    model = replace(config.model, **own, source="path", location=place, architecture=None)
    found = prepare(replace(config, model=model, method=Method("none")), lambda _: None)
    if tokenizer_sha256(found.tokenizer) != tokenizer_sha256(prepared.tokenizer):
        raise UsageError(f"task.evaluator={place} has another tokenizer than {config.model.name}: choose another")
    return found
