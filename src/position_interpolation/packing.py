"""Text to training windows: tokenise once, join documents into one stream, cut it into windows.

How documents are joined (the paper does not say): the documents of a corpus, in their order, each followed by EOS, form
one stream; a window is BOS followed by the next L' - 1 tokens of the stream; attention crosses document borders. Which
window comes when is drawn from the seed, without replacement inside a corpus, and does not depend on the batch size.
"""

import hashlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from position_interpolation import files, recall
from position_interpolation.config import REPEATS
from position_interpolation.corpora import Documents
from position_interpolation.errors import UsageError

REPEATS_ROWS = 20_000


def stream(documents: Documents, tokenizer: Any, cache: Path) -> NDArray[np.uint32]:
    """Token ids of all documents, each followed by EOS; tokenised once and kept in `cache`."""
    texts = (document.text for document in documents.items)
    return _cached_stream(texts, documents.sha256, tokenizer, cache)


def recall_stream(
    seed: int, prose: Documents, tokenizer: Any, cache: Path, count: int, stretch: float = 1.0
) -> NDArray[np.uint32]:
    """Token ids of `count` generated recall documents, their filler cut from `prose` and stretched."""
    texts = islice(recall.documents(seed, [item.text for item in prose.items], stretch), count)
    key = f"recall-{seed}-{count}-{stretch}-{prose.sha256}-{files.sha256(Path(recall.__file__))}"
    return _cached_stream(texts, key, tokenizer, cache)


def repeats_stream(seed: int, tokenizer: Any, body: int) -> NDArray[np.uint32]:
    """Token ids of generated repeats of printable characters, one row a window of `body` tokens."""
    symbols = [tokenizer.convert_tokens_to_ids(chr(code)) for code in range(ord("!"), ord("~") + 1)]
    return recall.repeats(seed, [symbol for symbol in symbols if symbol is not None], body, REPEATS_ROWS).ravel()


def _cached_stream(texts: Iterable[str], key: str, tokenizer: Any, cache: Path) -> NDArray[np.uint32]:
    fingerprint = hashlib.sha256((key + tokenizer_sha256(tokenizer)).encode()).hexdigest()[:24]
    path = cache / "tokens" / f"{fingerprint}.npy"
    if not _readable(path):
        ids = [np.asarray([*encode(tokenizer, text), tokenizer.eos_token_id], np.uint32) for text in texts]
        files.write(path, lambda temporary: np.save(temporary, np.concatenate(ids)), suffix=".npy")
    tokens: NDArray[np.uint32] = np.load(path, mmap_mode="r")
    return tokens


def _readable(path: Path) -> bool:
    """Whether tokens are there and whole: damaged ones are made again."""
    try:
        np.load(path, mmap_mode="r")
        return True
    except (OSError, ValueError, EOFError):
        return False


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text without special tokens."""
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def bos(tokenizer: Any) -> int | None:
    """The token that the tokenizer itself puts in front of text, if it does: LLaMA's does, SmolLM2's does not."""
    ids = tokenizer("a")["input_ids"]
    return int(ids[0]) if ids[0] == tokenizer.bos_token_id else None


def tokenizer_sha256(tokenizer: Any) -> str:
    """Fingerprint of everything that decides how text becomes ids."""
    marks = f"{tokenizer.bos_token_id} {tokenizer.eos_token_id} "
    return hashlib.sha256((marks + tokenizer.backend_tokenizer.to_str()).encode()).hexdigest()


class PackedWindows(Dataset[dict[str, torch.Tensor]]):
    """A deterministic sequence of training windows drawn from several streams.

    Item i is the same for every length of the sequence, so a longer training run begins as a shorter one did.
    """

    def __init__(
        self,
        streams: dict[str, NDArray[np.uint32]],
        mixture: dict[str, float],
        window: int,
        length: int,
        seed: int,
        bos: int | None,
        lesson: int = 0,
    ) -> None:
        """Plan `length` windows of `window` tokens; `mixture` gives each stream's share.

        The first `lesson` windows come from the stream `repeats` instead.

        Raises:
            UsageError: a stream is shorter than a window.
        """
        self.window, self.bos = window, bos
        names = list(mixture) if lesson == 0 or REPEATS in mixture else [*mixture, REPEATS]
        self.streams = [streams[name] for name in names]
        self.body = window - (bos is not None)
        shares = np.cumsum(list(mixture.values()))
        draws = np.random.default_rng([seed, 0]).random(length) * shares[-1]
        self.choice = np.searchsorted(shares, draws, side="right").astype(np.int16)
        if lesson:
            self.choice[:lesson] = names.index(REPEATS)
        self.position = np.zeros(length, np.int64)
        for index, (name, tokens) in enumerate(zip(names, self.streams, strict=True)):
            if len(tokens) < self.body:
                raise UsageError(
                    f"corpus '{name}' has {len(tokens)} tokens, fewer than a window of {window}: "
                    "choose a larger corpus or a shorter context"
                )
            chosen = np.flatnonzero(self.choice == index)
            self.position[chosen] = shuffled_passes(len(tokens) // self.body, len(chosen), [seed, 1, index])

    def __len__(self) -> int:
        return len(self.choice)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        start = int(self.position[index]) * self.body
        ids = self.streams[self.choice[index]][start : start + self.body].astype(np.int64)
        tokens = torch.from_numpy(ids if self.bos is None else np.concatenate([[self.bos], ids]))
        return {"input_ids": tokens, "labels": tokens}


def shuffled_passes(windows: int, count: int, seed: list[int]) -> NDArray[np.int64]:
    """`count` numbers below `windows`: every one once, in random order, then every one again in another order."""
    if count == 0:
        return np.zeros(0, np.int64)
    passes = -(-count // windows)
    orders = [np.random.default_rng([*seed, number]).permutation(windows) for number in range(passes)]
    return np.concatenate(orders)[:count]
