"""Text that two corpora share, found by content, whatever ids, line breaks, capitals or punctuation it has in each.

A text is reduced to its letters and digits, then cut into pieces at places that its own bytes decide. So a passage is
cut in the same way wherever it stands. Pieces are compared by hash.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError
from position_interpolation.text.corpora import Documents

VERSION = 1  # of the way of cutting
REACH = 8  # bytes that decide whether a piece begins at the first of them
BITS = 7  # bits of a hash that are zero where a piece begins: every 128 bytes on average
MEASURED = 0.5  # least shared part of a measured document's bytes: less is quotation and boilerplate
TUNED_ON = 0.75  # least shared part of the bytes of a document that was tuned on,
LEAST = 1_000  # and of these at least so many bytes: fewer move no number
FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))  # of splitmix64


@dataclass(frozen=True)
class Pieces:
    """Pieces of some documents, document after document."""

    names: tuple[str, ...]  # corpus and id of each document
    hashes: NDArray[np.uint64]  # (n,)
    sizes: NDArray[np.int64]  # (n,) bytes
    owners: NDArray[np.int64]  # (n,) places in `names`


def pieces(corpus: Documents, cache: Path) -> Pieces:
    """The pieces of all documents of a corpus, which are cut once and kept in `cache`."""
    path = cache / "pieces" / f"{corpus.sha256[:24]}-{VERSION}.npy"
    if not files.intact(path):
        found = [cut(document.text) for document in corpus.items]
        owners = [np.full(len(hashes), number, np.uint64) for number, (hashes, _) in enumerate(found)]
        columns = [np.concatenate(parts).astype(np.uint64) for parts in (*zip(*found, strict=True), owners)]
        files.write_array(path, np.stack(columns))
    hashes, sizes, owners = np.load(path)
    names = tuple(f"{document.id} of {corpus.name}" for document in corpus.items)
    return Pieces(names, hashes, sizes.astype(np.int64), owners.astype(np.int64))


def joined(parts: Sequence[Pieces]) -> Pieces:
    """Pieces of several corpora as one."""
    before = np.cumsum([0, *(len(part.names) for part in parts)])
    return Pieces(
        tuple(name for part in parts for name in part.names),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.owners + start for part, start in zip(parts, before, strict=False)]),
    )


def cut(text: str) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes and sizes (bytes) of a text's pieces; a text without letters and digits has none."""
    plain = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold()).encode()
    plain = plain.ljust(REACH) if plain else b""
    count = max(0, len(plain) - REACH + 1)
    windows = np.ndarray((count,), "<u8", plain, strides=(1,))  # every eight bytes in a row as one number
    mixed = windows.astype(np.uint64) * FACTORS[0]
    mixed = (mixed ^ mixed >> np.uint64(32)) * FACTORS[1]
    starts = np.flatnonzero(mixed >> np.uint64(64 - BITS) == 0)
    starts = np.unique(np.concatenate([np.zeros(min(count, 1), np.int64), starts]))
    hashes = np.add.reduceat(mixed ^ mixed >> np.uint64(29), starts) if count else mixed
    return hashes, np.diff(np.append(starts, count))


def refuse(measured: Pieces, seen: Pieces, remedy: str) -> None:
    """Make sure that no document is measured that was tuned on (`seen`), whole or in parts.

    Raises:
        UsageError: most of a document stands in a document of the other side; says what to do (`remedy`).
    """
    for own, other, share, least in ((measured, seen, MEASURED, 1), (seen, measured, TUNED_ON, LEAST)):
        both = np.isin(own.hashes, other.hashes)
        shared, whole = _by_owner(own, both), _by_owner(own, np.ones_like(both))
        same = np.flatnonzero((shared >= share * whole) & (shared >= least))
        if len(same):
            there = np.isin(other.hashes, own.hashes[both & (own.owners == same[0])])
            pair = own.names[same[0]], other.names[_by_owner(other, there).argmax()]
            here, twin = pair if own is measured else pair[::-1]
            more = f" and {len(same) - 1} more" if len(same) > 1 else ""
            raise UsageError(f"document {here} is measured, but tuned on as {twin}{more}: {remedy}")


def _by_owner(own: Pieces, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Bytes of each document's counted pieces."""
    return np.bincount(own.owners, own.sizes * counted, len(own.names)).astype(np.float64)
