"""Text that two corpora share, found by content, whatever ids, rows, lines, capitals or punctuation it has in each.

A text is reduced to its letters and digits, and pieces of it, all of one length, are compared by hash. The letters
themselves decide where a piece begins. So a passage has the same pieces wherever it stands, in whatever rows.
"""

import hashlib
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

VERSION = 2  # of the way of cutting
REACH = 24  # letters of a piece, about five words: fewer are a phrase, more are found in no short row
DECIDING = 8  # letters that decide whether a piece begins at the first of them
BITS = 5  # bits of a hash that are zero where a piece begins: every 32 letters on average
WORDLESS = 0.1  # least share of letters and digits in a text of words; any other is compared by all its signs
BLOCK = 1 << 20  # letters that are hashed at once
MEASURED = 0.75  # least share in common of a measured document: chapters that repeat much of each other have less
TUNED_ON = 0.75  # least share in common of a document that was tuned on,
LEAST = 1_000  # and of it at least so many letters: fewer move no number
FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))  # of splitmix64
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Pieces of some documents, each of an owner: a document, or some short ones that follow each other."""

    names: tuple[str, ...]  # corpus and id of each owner's first document
    hashes: Hashes  # (n,)
    sizes: Numbers  # (n,) letters up to the owner's next piece; 0, not counted, if it runs into the next document
    owners: Numbers  # (n,) places in `names`


def pieces(corpus: Documents, cache: Path) -> Pieces:
    """The pieces of all documents of a corpus, which are cut once and kept in `cache`.

    Every document is a piece of its own, so that any that stands on both sides is found. Its smaller pieces are judged
    together with those of its neighbours if it has fewer than `LEAST` letters, since few pieces prove nothing.
    """
    path = cache / "pieces" / f"{corpus.sha256[:24]}-{VERSION}.npy"
    if not files.intact(path):
        texts = [_letters(document.text) for document in corpus.items]
        columns = [np.concatenate(both).astype(np.uint64) for both in zip(_whole(texts), _small(texts), strict=True)]
        files.write_array(path, np.stack(columns))
    hashes, sizes, owners = np.load(path)
    names = tuple(f"{document.id} of {corpus.name}" for document in corpus.items)
    return Pieces(names * 2, hashes, sizes.astype(np.int64), owners.astype(np.int64))


def joined(corpora: Sequence[Pieces]) -> Pieces:
    """Pieces of several corpora as one."""
    before = np.cumsum([0, *(len(corpus.names) for corpus in corpora)])
    return Pieces(
        tuple(name for corpus in corpora for name in corpus.names),
        np.concatenate([corpus.hashes for corpus in corpora]),
        np.concatenate([corpus.sizes for corpus in corpora]),
        np.concatenate([corpus.owners + start for corpus, start in zip(corpora, before, strict=False)]),
    )


def refuse(measured: Pieces, seen: Pieces, remedy: str) -> None:
    """Refuse to measure a document most of which was tuned on (`seen`); the message ends with the `remedy`."""
    for own, other, share, least in ((measured, seen, MEASURED, 1), (seen, measured, TUNED_ON, LEAST)):
        both = np.isin(own.hashes, other.hashes)
        shared, whole = _by_owner(own, both), _by_owner(own, np.ones_like(both))
        same = np.flatnonzero((shared >= share * whole) & (shared >= least))
        if len(same):
            there = np.isin(other.hashes, own.hashes[both & (own.owners == same[0])])
            pair = own.names[same[0]], other.names[np.bincount(other.owners[there]).argmax()]
            here, twin = pair if own is measured else pair[::-1]
            others = len({own.names[place] for place in same}) - 1
            more = f" and {others} more" if others else ""
            raise UsageError(f"document {here} is measured, but tuned on as {twin}{more}: {remedy}")


def _letters(text: str) -> str:
    """What of a text is compared."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    letters = re.sub(r"[\W_]+", "", plain)
    return letters if len(letters) >= WORDLESS * len(plain) else "".join(plain.split())


def _whole(texts: Sequence[str]) -> Hashes:
    """(3, n) hashes, sizes and owners of the pieces that are whole documents."""
    full = [(number, text) for number, text in enumerate(texts) if text]
    rows = [(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]), len(text), number) for number, text in full]
    return np.array(rows, np.uint64).reshape(-1, 3).T


def _small(texts: Sequence[str]) -> tuple[Hashes, Numbers, Numbers]:
    """Hashes, sizes and owners of the small pieces; owners are numbered after the documents themselves."""
    lengths = np.array([len(text) for text in texts], np.int64)
    starts, hashes = _begun("".join(texts))
    stops = np.cumsum(lengths)
    own = np.searchsorted(stops, starts, side="right")
    left = stops[own] - starts  # letters of its document from a piece's first on
    sizes = np.where(left >= REACH, np.minimum(np.diff(np.append(starts, lengths.sum())), left), 0)
    return hashes, sizes, len(texts) + _firsts(lengths)[own]


def _firsts(lengths: Numbers) -> Numbers:
    """For each document the number of the first one of its group; a group has at least `LEAST` letters."""
    found, first, size, left = [], 0, 0, lengths.sum()
    for number, length in enumerate(lengths):
        if min(size, left) >= LEAST:
            first, size = number, 0
        found.append(first)
        size, left = size + length, left - length
    return np.array(found, np.int64)


def _begun(text: str) -> tuple[Numbers, Hashes]:
    """Where the pieces of a text begin, and their hashes."""
    blocks = range(0, max(1, len(text)), BLOCK)
    found = [_of_block(text[start : start + BLOCK + REACH - 1]) for start in blocks]
    starts = [here + start for start, (here, _) in zip(blocks, found, strict=True)]
    return np.concatenate(starts), np.concatenate([hashes for _, hashes in found])


def _of_block(text: str) -> tuple[Numbers, Hashes]:
    hashes = np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.uint64)
    for reach in (1, 2, DECIDING // 2):  # of one letter each, then of two, of four, of eight
        hashes = _mixed(hashes[:-reach], hashes[reach:])
    begins = hashes[: max(0, len(text) - REACH + 1)] >> np.uint64(64 - BITS) == 0
    starts = np.flatnonzero(begins)
    found = np.zeros(len(starts), np.uint64)
    for offset in range(0, REACH, DECIDING):
        found = _mixed(found, hashes[starts + offset])
    return starts, found


def _mixed(first: Hashes, second: Hashes) -> Hashes:
    """A hash of two hashes."""
    both = first * FACTORS[0] + second
    return (both ^ both >> np.uint64(32)) * FACTORS[1]


def _by_owner(own: Pieces, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Letters of each owner's counted pieces."""
    return np.bincount(own.owners, own.sizes * counted, len(own.names)).astype(np.float64)
