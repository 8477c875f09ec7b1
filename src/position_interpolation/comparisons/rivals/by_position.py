"""Both ends of an extension in one forward of L' a document, for models whose windows are dear."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Stretch
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import Record


def as_windows(rows: Sequence[Record]) -> list[Record]:
    """Perplexity inside L, as if it were of windows of L, and past L, as if of L', with each document's losses.

    What lies inside L is read as in a window of L, because tokens see only what came before them. What lies past L is
    other text, the same under every method. The rows are one group of `select.positions`, of every seed. An extension
    that was not asked in forwards of its own L' is left out.
    """
    found: list[Record] = []
    for own in select.gathered(rows, lambda row: row.seed).values():
        for item in ordered(own):
            inside, past = comparison.stretches(own, item)
            if item.factor > 1 and past.blocks and past.blocks[0].eval_window != item.window:
                continue
            found += [*_as_window(inside, item.base_window), *_as_window(past, own[0].eval_window)]
    return found


def _as_window(part: Stretch, window: int | None) -> Iterator[Record]:
    """Perplexity of a stretch of positions, and the loss of each document there, as records of one window."""
    whole = comparison.products([part.documents], []) if part.documents else None
    if whole is None:
        return
    first, tokens = part.blocks[0], sum(count for _, count in part.documents.values())
    alike = replace(first, eval_window=window, at=None)
    yield replace(alike, metric="perplexity", value=whole.value, ci_low=whole.low, ci_high=whole.high, n_tokens=tokens)
    for name, (loss, count) in part.documents.items():
        data = {**first.data, "ids": [name]}
        yield replace(
            alike, metric="document_loss", value=loss, ci_low=None, ci_high=None, n_documents=1, n_tokens=count,
            data=data,
        )  # fmt: skip
