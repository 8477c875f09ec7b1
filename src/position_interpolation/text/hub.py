"""Rows of the Hugging Face hub: streamed once and kept on disk in blocks, so that reading can go on where it ended.

A run of the paper's size reads some gigabytes of the Pile. Neither a second run nor one that was killed half-way reads
them again. The blocks of a corpus are numbered; a corpus that was read to its end has an empty block last.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.schema import Corpus

BLOCK = 1 << 24  # characters of JSON in a block
Row = dict[str, Any]


def rows(corpus: Corpus, kept: str | None) -> Iterator[tuple[str, Row]]:
    """Yield every row of a corpus, with its place (for messages) and an `id`; loading scripts are never run.

    Blocks are kept in the folder `kept`, if one is given.

    Raises:
        UsageError: the data set cannot be had, or its rows lack the configured id.
    """
    return ((f"{called(corpus)}, row {index}", row) for index, row in enumerate(_rows(corpus, kept)))


def called(corpus: Corpus) -> str:
    """A corpus for messages: `the hub data set owner/name, subset document, split test`."""
    named = {"subset": corpus.subset, "files": " ".join(corpus.files)}
    named |= {"split": corpus.split, "revision": corpus.revision}
    details = [f"{key} {value}" for key, value in named.items() if value]
    return ", ".join([f"the hub data set {corpus.dataset}", *details])


def _rows(corpus: Corpus, kept: str | None) -> Iterator[Row]:
    """Rows from disk as far as they are there, then from the hub."""
    asked = [corpus.dataset, corpus.subset, list(corpus.files), corpus.split, corpus.revision, corpus.id_field]
    name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]  # of what is read from the hub in the same way
    folder = None if kept is None else Path(kept) / name
    number = read = 0
    while folder is not None and (block := _kept(folder, number)) is not None:
        if not block:
            return
        yield from block
        number, read = number + 1, read + len(block)
    for new_number, new in enumerate(_blocks(_streamed(corpus, read)), start=number):
        if folder is not None:
            _keep(folder, new_number, new)
        yield from new


def _blocks(streamed: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in blocks of about the same size, with an empty block at the end."""
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
        chosen = {"data_files": list(corpus.files) or None, "split": corpus.split, "revision": corpus.revision}
        reading = {"streaming": True, "trust_remote_code": False}
        found = datasets.load_dataset(corpus.dataset, corpus.subset, **chosen, **reading)
        for index, row in enumerate(found.skip(start), start=start):
            field = corpus.id_field
            if field is not None and field not in row:
                fault = f"has no field '{field}', but {', '.join(row)}"
                raise UsageError(f"{called(corpus)} {fault}: set its id_field to one of these, or null to number rows")
            own = row[field] if field else None
            identifier = f"{corpus.split}-{index}" if own is None else str(own)
            # In PG-19 on the hub, the last part of a book's address is its number.
            yield {**row, "id": identifier.rstrip("/").rsplit("/", 1)[-1].removesuffix(".txt")}
    except UsageError:
        raise
    except Exception as error:  # datasets raises whatever its readers and its network do
        raise UsageError(f"{called(corpus)} could not be read ({shortened(error)}): {_way_out(error)}") from error


def _way_out(error: Exception) -> str:
    """What to do about an error of `datasets`."""
    text = str(error)
    if "scripts are no longer supported" in text:
        return "expected plain files; name them by dataset=json files=[hf://datasets/<owner>/<name>/<file>]"
    if "gated" in text.lower():
        return "accept its terms on the hub, then run hf auth login or set HF_TOKEN"
    if isinstance(error, ImportError | ValueError) and "zst" in text:
        return "run pip install zstandard"
    if isinstance(error, ConnectionError):
        return "check the network, then run the same command again; or choose data=own data.root=<directory>"
    return "correct dataset, subset, split, files or revision of its entry in data.corpora"


def _keep(folder: Path, number: int, block: list[Row]) -> None:
    lines = "".join(map(_line, block)).encode()
    files.write(folder / f"{number:06d}.jsonl.gz", lambda place: place.write_bytes(gzip.compress(lines, 1)))


def _line(row: Row) -> str:
    return json.dumps(row, default=str) + "\n"  # a date, in corpora that have one, as text


def _kept(folder: Path, number: int) -> list[Row] | None:
    """A block from disk; None if it is absent or damaged."""
    path = folder / f"{number:06d}.jsonl.gz"
    try:
        if not path.stat().st_size:  # gzip reads it as an empty block, the mark of a corpus's end
            return None
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines]
        return found if all(isinstance(row, dict) and "id" in row for row in found) else None
    except (OSError, EOFError, ValueError, zlib.error):
        return None
