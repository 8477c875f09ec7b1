"""Tuning for a long window on short sequences: positions that skip (PoSE, arXiv:2309.10400, section 3).

A chunk of C tokens is cut in two at a random place, and the second part's positions are moved on by a random skip. So
over many chunks every distance below L' is seen at the cost of C tokens. No text is skipped: the two parts follow each
other. The cut is uniform over 1 .. C - 1, the skip over 0 .. L' - C.
"""

import numpy as np
import torch
from torch.utils.data import Dataset

from position_interpolation.text.packing import PackedWindows

Item = dict[str, torch.Tensor]


class SkippedPositions(Dataset[Item]):
    """Training chunks with `position_ids` spread over a longer window; item i depends on the seed and i alone."""

    def __init__(self, chunks: PackedWindows, window: int, seed: int) -> None:
        """Spread the positions of `chunks` over `window` positions, at least as many as a chunk has."""
        self.chunks, self.room, self.seed = chunks, window - chunks.window, seed

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, index: int) -> Item:
        item = self.chunks[index]
        tokens = len(item["input_ids"])
        generator = np.random.default_rng([self.seed, 2, index])
        cut, skip = generator.integers(1, tokens), generator.integers(self.room, endpoint=True)
        positions = np.arange(tokens)
        positions[cut:] += skip
        # The mask shows all tokens. Without one, transformers would take a skip for the start of another text.
        return {
            **item,
            "position_ids": torch.from_numpy(positions),
            "attention_mask": torch.ones(tokens, dtype=torch.long),
        }
