"""Perplexity by position inside one long forward, measured on an extension."""

from collections.abc import Iterator
from typing import Any

from position_interpolation.evidence.intervals import Estimate
from position_interpolation.evidence.select import BLOCK_PERPLEXITY, DOCUMENT_BLOCK_LOSS
from position_interpolation.settings import derived
from position_interpolation.tasks.measurement import Measured, Measurement, bos_of, common, text, unseen
from position_interpolation.tasks.perplexity import losses
from position_interpolation.tasks.perplexity.measure import token_losses
from position_interpolation.tasks.positions import blocks
from position_interpolation.tasks.positions.config import PositionsTask
from position_interpolation.text import corpora
from position_interpolation.tuning.extension import Prepared


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
        for part in blocks.by_block(scored, window, block):
            where: dict[str, Any] = {"eval_window": window, "protocol": "token", "at": part.start}
            tokens = sum(map(len, part.losses))
            found.append(Measured(BLOCK_PERPLEXITY, part.perplexity, data, len(scored), tokens, **where))
            # Each document's own loss, for paired comparisons.
            for identifier, own in zip(corpus.ids, part.losses, strict=True):
                mean, one = Estimate(float(own.mean())), {**data, "ids": [identifier]}
                found.append(Measured(DOCUMENT_BLOCK_LOSS, mean, one, 1, len(own), **where))
        return found

    yield Measurement({**losses_of, "block": block, "described": 3}, measure)
