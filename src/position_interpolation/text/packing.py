"""Text to training windows: tokenise once, join documents into one stream, cut it into windows.

The paper does not say how documents are joined. Here the documents of a corpus, in their order and each followed by
EOS, form one stream. A window is BOS followed by the next L' - 1 tokens of the stream, and attention crosses the
borders of documents. The order of windows is drawn from the seed, without replacement inside a corpus, whatever the
batch size.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError
from position_interpolation.text.corpora import Documents
from position_interpolation.text.encoding import encode, end, tokenizer_sha256
from position_interpolation.text.recall import RecallWindows


def stream(documents: Documents, tokenizer: Any, cache: Path) -> NDArray[np.uint32]:
    """Token ids of all documents, each followed by EOS, which are computed once and kept in `cache`."""
    fingerprint = hashlib.sha256((documents.sha256 + tokenizer_sha256(tokenizer)).encode()).hexdigest()[:24]
    path = cache / "tokens" / f"{fingerprint}.npy"
    if not files.intact(path):
        ids = [[*encode(tokenizer, document.text), *end(tokenizer)] for document in documents.items]
        files.write_array(path, np.concatenate([np.asarray(each, np.uint32) for each in ids]))
    return np.load(path, mmap_mode="r")


Source = NDArray[np.uint32] | RecallWindows  # a stream to cut into windows, or windows that are made


class PackedWindows(Dataset[dict[str, torch.Tensor]]):
    """A deterministic sequence of training windows drawn from several streams.

    Item i is the same for every length of the sequence, so a longer training run begins as a shorter one did.
    """

    def __init__(
        self, streams: dict[str, Source], mixture: dict[str, float], window: int, length: int, seed: int,
        bos: int | None,
    ) -> None:  # fmt: skip
        """Plan `length` windows of `window` tokens; `mixture` gives each stream's share.

        Windows that are cut from a stream come in random order; made ones come in their own. The rest at a stream's end
        is never read.

        Raises:
            UsageError: a stream is shorter than a window.
        """
        self.window, self.bos = window, bos
        body = window - (bos is not None)
        self.sources: list[Source] = []
        shares = np.cumsum(list(mixture.values()))
        draws = np.random.default_rng([seed, 0]).random(length) * shares[-1]
        self.choice = np.searchsorted(shares, draws, side="right").astype(np.int16)
        self.position = np.zeros(length, np.int64)
        for index, name in enumerate(mixture):
            chosen, source = np.flatnonzero(self.choice == index), streams[name]
            if not isinstance(source, np.ndarray):
                self.sources.append(source)
                self.position[chosen] = np.arange(len(chosen))
                continue
            if len(source) < body:
                fault = f"{len(source)} tokens, fewer than a window of {window}"
                raise UsageError(f"corpus '{name}' has {fault}: choose a larger corpus or a shorter context")
            pieces = source[: len(source) // body * body].reshape(-1, body)
            self.sources.append(pieces)
            self.position[chosen] = shuffled_passes(len(pieces), len(chosen), [seed, 1, index])

    def __len__(self) -> int:
        return len(self.choice)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        ids = self.sources[self.choice[index]][int(self.position[index])].astype(np.int64)
        tokens = torch.from_numpy(ids if self.bos is None else np.concatenate([[self.bos], ids]))
        return {"input_ids": tokens, "labels": tokens}


def shuffled_passes(windows: int, count: int, seed: list[int]) -> NDArray[np.int64]:
    """`count` numbers below `windows`: each once in random order, then each again in another order, and so on."""
    if count == 0:
        return np.zeros(0, np.int64)
    passes = -(-count // windows)
    orders = [np.random.default_rng([*seed, number]).permutation(windows) for number in range(passes)]
    return np.concatenate(orders)[:count]
