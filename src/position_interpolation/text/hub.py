"""Rows of the Hugging Face hub: streamed once, kept on disk in blocks as they come, gone on with where reading ended.

A run of the paper's size reads some gigabytes of the Pile; neither a second run nor one that was killed half-way reads
them again. The blocks of a corpus are numbered; the last of a corpus that was read to its end is an empty one.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Corpus

BLOCK = 1 << 24  # characters of JSON that fill a block
Row = dict[str, Any]


def rows(corpus: Corpus, kept: str | None) -> Iterator[Row]:
    """Yield every row of a corpus, with an `id`; loading scripts are never run.

    Args:
        corpus: its `dataset` and what goes with it.
        kept: where the blocks of all corpora are kept; None keeps nothing.

    Raises:
        UsageError: the data set cannot be had.
    """
    folder = None if kept is None else Path(kept) / _name(corpus)
    read = 0
    for number in count():
        block = None if folder is None else _kept(folder, number)
        if block is None:
            break
        if not block:
            return
        yield from block
        read += len(block)
    for new in _blocks(_streamed(corpus, read)):
        if folder is not None:
            _keep(folder, number, new)
        yield from new
        number += 1


def _blocks(streamed: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in blocks of about the same size, an empty one at the end."""
    block: list[Row] = []
    size = 0
    for row in streamed:
        block.append(row)
        size += len(_line(row))
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block
    yield []


def _streamed(corpus: Corpus, start: int) -> Iterator[Row]:
    """Rows from the hub itself, from row `start` on."""
    try:
        import datasets
    except ImportError as error:
        raise UsageError("data=hub needs the package datasets: run pip install datasets") from error
    try:
        found = datasets.load_dataset(
            corpus.dataset,
            corpus.subset,
            data_files=list(corpus.files) or None,
            split=corpus.split,
            revision=corpus.revision,
            streaming=True,
            trust_remote_code=False,
        )
        for index, row in enumerate(found.skip(start), start=start):
            identifier = str(row[corpus.id_field]) if corpus.id_field else f"{corpus.split}-{index}"
            # PG-19 rows on the hub carry the book's number as the last part of its address.
            yield {**row, "id": identifier.rstrip("/").rsplit("/", 1)[-1].removesuffix(".txt")}
    except (ConnectionError, OSError) as error:
        raise UsageError(
            f"the hub data set {corpus.dataset} could not be read ({type(error).__name__}): "
            "check the network, or choose data=embedded or data=local data.root=<directory>"
        ) from error


def _name(corpus: Corpus) -> str:
    """A folder for what is read from the hub alike."""
    asked = [corpus.dataset, corpus.subset, list(corpus.files), corpus.split, corpus.revision, corpus.id_field]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]


def _keep(folder: Path, number: int, block: list[Row]) -> None:
    lines = "".join(map(_line, block)).encode()
    files.write(folder / f"{number:06d}.jsonl.gz", lambda place: place.write_bytes(gzip.compress(lines, 1)))


def _line(row: Row) -> str:
    return json.dumps(row, default=str) + "\n"  # a date, in corpora that have one, as text


def _kept(folder: Path, number: int) -> list[Row] | None:
    """A block from disk; None if it is not there, or damaged and so to be read again."""
    try:
        with gzip.open(folder / f"{number:06d}.jsonl.gz", "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    except (OSError, EOFError, ValueError, zlib.error):
        return None
