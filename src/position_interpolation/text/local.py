"""Rows of files on this disk: JSON lines, plain text and parquet, by themselves or in folders."""

import glob
import gzip
import importlib.util
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.schema import Corpus

LINES, TEXT, PARQUET = (".jsonl", ".ndjson", ".json"), (".txt", ".md", ".tex"), (".parquet",)
KINDS = (*LINES, *TEXT, *PARQUET)
COMPRESSED = (".gz", ".zst")
READ = "*.jsonl, *.jsonl.gz, *.jsonl.zst, *.txt, *.md, *.tex or *.parquet"
ABOUT = ("readme", "license")  # what comes with text and is none of it
Row = dict[str, Any]


def files(root: Path, corpus: Corpus) -> list[tuple[str, Path]]:
    """The files of a corpus, each with the name that its rows get; those of a folder are ordered by name.

    Raises:
        UsageError: an entry does not exist, or holds no file that can be read.
    """
    found = []
    for entry in corpus.files:
        place = root / entry
        if not place.exists():
            raise UsageError(f"no file {place}; set data.root to a directory with it")
        below = [(Path(place.name), place)] if place.is_file() else [(name, place / name) for name in _below(place)]
        own = [(_stem(name), path) for name, path in below if _kind(name) in KINDS]
        if not own:
            raise UsageError(f"{place} is or holds no file that can be read: expected {READ}; set data.root")
        found += own
    return found


def part(place: Path) -> str:
    """What a folder, or a file of rows, is called: `test.jsonl` and `test-00000-of-00002.parquet` are `test`."""
    if place.is_dir():
        return place.name.lower()
    return _stem(Path(place.name)).partition("-")[0].lower() if _kind(place) in (*LINES, *PARQUET) else ""


def _below(folder: Path) -> list[Path]:
    """Every file below a folder, relative to it; links are followed, what is hidden or about the folder left out."""
    names = sorted(map(Path, glob.iglob("**", root_dir=folder, recursive=True)))
    return [name for name in names if (folder / name).is_file() and name.stem.lower() not in ABOUT]


def rows(root: Path, corpus: Corpus) -> Iterator[tuple[str, Row]]:
    """Yield every row, with its place (for messages) and an `id`: its own, or the file's name and the row's number.

    Raises:
        UsageError: a file cannot be read as what its name says, or a row lacks the configured id.
    """
    field = corpus.id_field or "id"
    for name, path in files(root, corpus):
        number = 0
        try:
            for number, row in _read(path):
                if corpus.id_field is not None and field not in row:
                    raise UsageError(f"{path}:{number} has no field '{field}', but {', '.join(row)}: set its id_field")
                own = row.get(field)
                usual = name if _kind(path) in TEXT else f"{name}-{number}"
                yield f"{path}:{number}", {**row, "id": usual if own is None else str(own)}
        except UsageError:
            raise
        except Exception as error:  # zlib, zstandard and pyarrow each have their own
            fault, expected = shortened(error), f"{READ}, each line or row an object of UTF-8 text"
            raise UsageError(f"{path}:{number + 1} cannot be read ({fault}): expected {expected}") from error


def _read(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows with their numbers: of parquet, or of JSON lines that are not empty; plain text is a single row."""
    if _kind(path) in PARQUET:
        with _pyarrow(path).parquet.ParquetFile(path) as table:
            yield from enumerate((row for batch in table.iter_batches(64) for row in batch.to_pylist()), start=1)
        return
    with _opened(path) as file:
        if _kind(path) in TEXT:
            text = file.read()
            if "\0" in text:
                raise ValueError("it holds NUL, as text in UTF-16 does")
            yield 1, {"text": text}
            return
        for number, line in enumerate(file, start=1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise TypeError(f"{type(row).__name__} where an object is needed")
                yield number, row


def _opened(path: Path) -> TextIO:
    """The file opened as text, without a byte order mark; reading fails if it was compressed and then cut."""
    kind = path.suffix.lower()
    if kind in COMPRESSED and not path.stat().st_size:
        raise EOFError("the file is empty")
    if kind == ".zst":  # not by the package zstandard, which takes a file that was cut for one that ends there
        return io.TextIOWrapper(_pyarrow(path).input_stream(path, compression="zstd"), encoding="utf-8-sig")
    opening: Any = gzip.open if kind == ".gz" else open
    return opening(path, "rt", encoding="utf-8-sig")


def _pyarrow(path: Path) -> Any:
    """The package pyarrow with its reader of parquet."""
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError(f"{path} needs the package pyarrow: run pip install pyarrow")
    import pyarrow.parquet

    return pyarrow


def _kind(path: Path) -> str:
    return _unpacked(path).suffix.lower()


def _stem(path: Path) -> str:
    """A file's path below its folder as one word, without endings."""
    return "-".join(_unpacked(path).with_suffix("").parts)


def _unpacked(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
