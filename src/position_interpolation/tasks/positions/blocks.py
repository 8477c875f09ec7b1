"""Perplexity by position inside one long forward."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from position_interpolation.evidence.intervals import Estimate, Floats
from position_interpolation.tasks.perplexity.windows import Scored, perplexity

SAMPLES = 1000  # bootstrap draws
SEGMENT = 64  # tokens resampled together, where a single document must give the interval


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
