"""Sliding-window perplexity (Tables 1-3): tokenise, run every window once, keep the raw losses, aggregate later."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from position_interpolation.machine import distributed, files
from position_interpolation.models.scoring import scored_losses
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.perplexity import sampling
from position_interpolation.tasks.perplexity.windows import Plan, Scored, Span, plan, plan_overlapping
from position_interpolation.text.corpora import Documents
from position_interpolation.text.encoding import ends, first_tokens

TokenIds = NDArray[np.int64]
Tokenised = dict[str, TokenIds]  # the documents of a corpus, by their ids
KEPT = ".npz"  # of files of losses; to be changed where a mended scoring would give the same windows others


def long_enough(documents: Documents, tokenizer: Any, minimum: int | None, count: int | None) -> Documents:
    """The first `count` documents of at least `minimum` tokens; all documents where either is None."""
    if minimum is None or count is None:
        return replace(documents, items=documents.items[:count])
    long = (item for item in documents.items if len(first_tokens(tokenizer, item.text, minimum)) >= minimum)
    return replace(documents, items=tuple(islice(long, count)) or documents.items[:count])


def tokenise(documents: Documents, tokenizer: Any, minimum: int | None, truncate: int | None) -> Tokenised:
    """Token ids of each document of at least `minimum` tokens, of which the first `truncate` are kept.

    Raises:
        UsageError: no document is long enough.
    """
    kept: Tokenised = {}
    for document in documents.items:
        needed = None if truncate is None else max(truncate, minimum or 0)
        ids = first_tokens(tokenizer, document.text, needed)
        if len(ids) >= max(minimum or 2, 2):
            kept[document.id] = np.asarray(ids[:truncate], np.int64)
    if not kept:
        raise UsageError(f"no document of '{documents.name}' has {minimum or 2} tokens: lower task.minimum_factor")
    return kept


def scored_bytes(documents: Documents, corpus: Tokenised, tokenizer: Any, bos: int | None) -> list[int]:
    """Bytes of UTF-8 of each document's own text that its scored tokens stand for; without BOS the first is not scored.

    The text itself is counted, not what a tokenizer would decode it to.
    """
    texts = {document.id: document.text for document in documents.items}
    sizes = []
    for identifier, tokens in corpus.items():
        stops = ends(tokenizer, texts[identifier], len(tokens))
        start = 0 if bos is not None else stops[0]
        sizes.append(len(texts[identifier][start : stops[-1]].encode()))
    return sizes


def plans(
    corpus: Tokenised, window: int, stride: int, *, bos: bool, overlapping: bool = False, sample: tuple[int, int] | None
) -> list[Plan]:
    """The windows of each document that are run: of W positions, BOS included, that start every `stride` tokens.

    With `overlapping` every token of every window is scored. `sample` is about how many windows to draw from all
    documents, and the seed; None runs every window.
    """
    planner = plan_overlapping if overlapping else plan
    spans = [planner(len(tokens), window, stride, bos) for tokens in corpus.values()]
    return [sampling.every_window(each) for each in spans] if sample is None else sampling.drawn(spans, *sample)


def token_losses(
    model: Any,
    corpus: Tokenised,
    planned: list[Plan],
    *,
    bos: int | None,
    tokens_per_forward: int,
    folder: Path,
    again: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Scored]:
    """Losses of every scored token of every planned window.

    Each document's losses are kept in a file in `folder`, which must be the model's own. So a killed run goes on with
    the next document, and more documents, or the same windows in another task, cost what is new alone. With `again`
    nothing kept is read. A batch holds at most `tokens_per_forward` positions, but at least one window. `progress` is
    called with the positions that have run through the model, which is in evaluation mode.
    """
    results = []
    for tokens, document in zip(corpus.values(), planned, strict=True):
        path = folder / f"{_fingerprint(tokens, document.spans, bos)}{KEPT}"
        counts = np.array([span.scored for span in document.spans], np.int64)
        losses = None if again else distributed.agreed(partial(_kept, path, counts))
        if losses is None:
            losses = _document_losses(model, tokens, document.spans, bos, tokens_per_forward, progress)
            if distributed.is_first():
                files.write_hashed(path, partial(np.savez, losses=losses, counts=counts), suffix=KEPT)
        else:
            progress(positions(document, bos))
        results.append(Scored(losses.astype(np.float64), counts, document.weights))
    return results


def positions(document: Plan, bos: int | None) -> int:
    """Positions that a document's planned windows take in the model."""
    return sum(span.stop - span.start + (bos is not None) for span in document.spans)


def _fingerprint(tokens: TokenIds, spans: list[Span], bos: int | None) -> str:
    """Tells the losses of one model apart: these tokens, read in these windows."""
    read = [bos, *((span.start, span.stop, span.scored) for span in spans)]
    return hashlib.sha256(tokens.tobytes() + json.dumps(read).encode()).hexdigest()[:32]


@torch.inference_mode()
def _document_losses(
    model: Any,
    tokens: TokenIds,
    spans: list[Span],
    bos: int | None,
    tokens_per_forward: int,
    progress: Callable[[int], None],
) -> NDArray[np.float32]:
    """Losses in window order. Windows of equal shape share a forward; losses stay on the device until the end."""
    pieces: dict[int, torch.Tensor] = {}
    for number, group in enumerate(_equal_shapes(spans, tokens_per_forward)):
        if distributed.is_mine(number):
            rows = [tokens[spans[i].start : spans[i].stop] for i in group]
            ids = np.stack(rows if bos is None else [np.concatenate([[bos], row]) for row in rows])
            losses = scored_losses(model, torch.from_numpy(ids).to(model.device), spans[group[0]].scored)
            pieces.update(zip(group, losses, strict=True))
        progress(len(group) * (spans[group[0]].stop - spans[group[0]].start + (bos is not None)))
    pieces = distributed.merged({index: losses.cpu() for index, losses in pieces.items()})
    joined: NDArray[np.float32] = torch.cat([pieces[i] for i in range(len(spans))]).numpy()
    return joined


def _equal_shapes(spans: list[Span], tokens_per_forward: int) -> Iterator[Sequence[int]]:
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, span in enumerate(spans):
        groups[span.stop - span.start, span.scored].append(index)
    for (tokens, _), members in groups.items():
        batch = max(1, tokens_per_forward // (tokens + 1))  # one more for BOS
        for first in range(0, len(members), batch):
            yield members[first : first + batch]


def _kept(path: Path, counts: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """A document's losses from disk; None if they are absent or damaged, or not of so many tokens in each window."""
    if not files.intact(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as saved:
            losses, saved_counts = np.asarray(saved["losses"]), np.asarray(saved["counts"])
    except (OSError, ValueError, KeyError, BadZipFile):
        return None
    whole = np.array_equal(saved_counts, counts) and losses.shape == (counts.sum(),)
    return losses if whole and np.isfinite(losses).all() else None
