"""Perplexity by position inside one long forward, measured on an extension."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from position_interpolation.evidence.intervals import Estimate, Floats
from position_interpolation.evidence.select import BLOCK_PERPLEXITY, DOCUMENT_BLOCK_LOSS
from position_interpolation.settings import derived
from position_interpolation.tasks.measurement import Measured, Measurement, bos_of, common, text, unseen
from position_interpolation.tasks.perplexity import losses
from position_interpolation.tasks.perplexity.measure import token_losses
from position_interpolation.tasks.perplexity.windows import Scored, perplexity
from position_interpolation.tasks.positions.config import PositionsTask
from position_interpolation.text import corpora
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
    everything = corpora.load(config.data, task.corpus, ids=task.ids)
    documents = losses.long_enough(everything, prepared.tokenizer, tokens, task.documents)
    unseen(prepared, documents, tokens)
    corpus = losses.tokenise(documents, prepared.tokenizer, minimum=tokens, truncate=tokens)
    data = text(documents, corpus.ids, truncate=tokens, bos=bos is not None)
    losses_of = {
        **common(prepared, documents), "positions": 1, "window": window, "stride": 1, "bos": bos,
        "minimum": tokens, "truncate": tokens,
    }  # fmt: skip

    def measure() -> list[Measured]:
        """Perplexity by block of positions, and every document's losses."""
        scored = token_losses(prepared, corpus, losses_of, overlapping=False)
        found = []
        for part in by_block(scored, window, block):
            where: dict[str, Any] = {"eval_window": window, "protocol": "token", "at": part.start}
            tokens = sum(map(len, part.losses))
            found.append(Measured(BLOCK_PERPLEXITY, part.perplexity, data, len(scored), tokens, **where))
            # Each document's own loss, for paired comparisons.
            for identifier, own in zip(corpus.ids, part.losses, strict=True):
                mean, one = Estimate(float(own.mean())), {**data, "ids": [identifier]}
                found.append(Measured(DOCUMENT_BLOCK_LOSS, mean, one, 1, len(own), **where))
        return found

    yield Measurement({**losses_of, "block": block, "described": 3}, measure)


@dataclass(frozen=True)
class Block:
    """Positions `start` .. `stop` - 1 of a window: their perplexity, and the losses of each document there."""

    start: int
    stop: int
    perplexity: Estimate
    losses: list[Floats]  # nats, one array per document


def by_block(documents: list[Scored], window: int, block: int) -> Iterator[Block]:
    """Yield the blocks of positions of a window.

    The interval is a bootstrap over documents. With a single document it is one over its segments of 64 tokens, and
    covers that document alone. The last block may be shorter than `block` positions.

    Each document is one whole window with every token scored: its last loss is that of position `window` - 1.
    """
    for start in range(0, window, block):
        stop = min(start + block, window)
        # Losses end with the window; position 0 holds BOS or the first token and has none.
        parts = [
            document.losses[max(0, len(document.losses) - (window - start)) : len(document.losses) - (window - stop)]
            for document in documents
        ]
        if not sum(map(len, parts)):  # a block of position 0 alone, at which no token is scored
            continue
        units = parts if len(parts) > 1 else np.array_split(parts[0], max(1, len(parts[0]) // SEGMENT))
        scored = [Scored(unit, np.array([len(unit)])) for unit in units]
        yield Block(start, stop, perplexity(scored, "token", SAMPLES), parts)
