"""Perplexity by position inside one long forward, measured on an extension."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from position_interpolation.evidence.intervals import Estimate, Floats
from position_interpolation.evidence.select import BLOCK_PERPLEXITY, DOCUMENT_BLOCK_LOSS
from position_interpolation.settings import derived
from position_interpolation.tasks.measurement import Measured, Measurement, bos_of, common, text
from position_interpolation.tasks.perplexity.measure import corpus_of, token_losses
from position_interpolation.tasks.perplexity.windows import Scored, perplexity
from position_interpolation.tasks.positions.config import PositionsTask
from position_interpolation.tuning.extension import Prepared

SAMPLES = 1000  # bootstrap draws
SEGMENT = 64  # tokens resampled together, where a single document must give the interval


def measurements(prepared: Prepared, task: PositionsTask) -> Iterator[Measurement]:
    """Perplexity by position inside one long forward per document."""
    config = prepared.config
    window = task.window or derived.reach(config)
    block = task.block or config.model.window // 4
    bos = bos_of(prepared, task.bos)
    tokens = window - (bos is not None)
    documents, corpus = corpus_of(prepared, task, minimum=tokens, truncate=tokens)
    data = text(documents, tuple(corpus), truncate=tokens, bos=bos is not None)
    losses_of = {
        **common(prepared, documents), "positions": 1, "window": window, "stride": 1, "bos": bos,
        "minimum": tokens, "truncate": tokens,
    }  # fmt: skip

    def measure() -> list[Measured]:
        """Perplexity by block of positions, and every document's losses."""
        scored = token_losses(prepared, corpus, losses_of, overlapping=False)
        found = []
        for start, losses in by_block(scored, window, block):
            where: dict[str, Any] = {"eval_window": window, "protocol": "token", "at": start}
            tokens = sum(map(len, losses))
            found.append(Measured(BLOCK_PERPLEXITY, over_tokens(losses), data, len(scored), tokens, **where))
            # Each document's own loss, for paired comparisons.
            for identifier, own in zip(corpus, losses, strict=True):
                mean, one = Estimate(float(own.mean())), {**data, "ids": [identifier]}
                found.append(Measured(DOCUMENT_BLOCK_LOSS, mean, one, 1, len(own), **where))
        return found

    yield Measurement({**losses_of, "block": block, "described": 3}, measure)


def by_block(documents: list[Scored], window: int, block: int) -> Iterator[tuple[int, list[Floats]]]:
    """Where each block of positions of a window starts, and the losses of each document there, in nats.

    Each document is one whole window with every token scored: its last loss is that of position `window` - 1. The last
    block may be shorter than `block` positions.
    """
    for start in range(0, window, block):
        before, behind = window - start, window - min(start + block, window)
        # Losses end with the window; position 0 holds BOS or the first token and has none.
        losses = [own.losses[max(0, len(own.losses) - before) : len(own.losses) - behind] for own in documents]
        if sum(map(len, losses)):  # no token is scored in a block of position 0 alone
            yield start, losses


def over_tokens(losses: list[Floats]) -> Estimate:
    """Perplexity over all tokens, with the interval of a bootstrap over documents.

    Of a single document, segments of 64 tokens are drawn instead, and the interval covers that document alone.
    """
    units = losses if len(losses) > 1 else np.array_split(losses[0], max(1, len(losses[0]) // SEGMENT))
    return perplexity([Scored(unit, np.array([len(unit)])) for unit in units], "token", SAMPLES)
