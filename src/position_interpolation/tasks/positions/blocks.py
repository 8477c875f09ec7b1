"""Perplexity by position inside one long forward."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from position_interpolation.evidence.intervals import Estimate, Floats
from position_interpolation.tasks.perplexity.windows import Scored, perplexity

SEGMENT = 64  # tokens drawn together where one document must give its own interval


@dataclass(frozen=True)
class Block:
    """Positions `start` .. `stop` - 1 of a window: their perplexity, and the losses of each document there."""

    start: int
    stop: int
    perplexity: Estimate
    losses: list[Floats]  # nats, one array a document


def by_block(documents: list[Scored], window: int, block: int, samples: int = 1000) -> Iterator[Block]:
    """Yield the blocks of positions of a window.

    The interval is a bootstrap over documents, or, with a single document, over its segments of 64 tokens: it then
    speaks of that document alone.

    Args:
        documents: one whole window each, every token scored; the last loss is that of position `window` - 1.
        window: positions of the forward.
        block: positions a block covers; the last one may be shorter.
        samples: bootstrap draws.
    """
    for start in range(0, window, block):
        stop = min(start + block, window)
        # Losses end with the window; position 0 holds BOS or the first token and has none.
        parts = [
            document.losses[max(0, len(document.losses) - (window - start)) : len(document.losses) - (window - stop)]
            for document in documents
        ]
        if not sum(map(len, parts)):  # a block of position 0 alone, which no token is scored at
            continue
        units = _segments(parts[0]) if len(parts) == 1 else parts
        scored = [Scored(unit, np.array([len(unit)])) for unit in units]
        yield Block(start, stop, perplexity(scored, "token", samples), parts)


def _segments(losses: Floats) -> list[Floats]:
    return np.array_split(losses, max(1, len(losses) // SEGMENT))
