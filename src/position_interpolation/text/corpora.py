"""Where text comes from: the Hugging Face hub, a local directory, or installed packages, behind one interface.

The source is chosen in the configuration and never swapped silently. Every document has a stable id, so that a result
names what it was measured on.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.text import hub, made_up
from position_interpolation.text.embedded import COLLECTIONS

PARTS = ("all", "train", "test")
TEXT_ALONE = ("embedded", "made_up")  # sources of plain documents, without questions or summaries


@dataclass(frozen=True)
class Document:
    """One text with an id that is the same wherever the text comes from (PG-19: its Project Gutenberg number)."""

    id: str
    text: str


Kind = TypeVar("Kind", bound=Document)


@dataclass(frozen=True)
class Documents:
    """A named, fingerprinted list of documents: what a record says about its data."""

    name: str
    source: str
    items: tuple[Document, ...]

    @property
    def sha256(self) -> str:
        """Fingerprint of ids and texts, in order."""
        digest = hashlib.sha256()
        for document in self.items:
            digest.update(json.dumps([document.id, document.text]).encode())
        return digest.hexdigest()


def load(data: Data, name: str, limit: int | None = None, ids: list[str] | None = None) -> Documents:
    """Load the corpus `name` of the configured source.

    Args:
        data: the configured source and its corpora.
        name: the corpus, by its role (`pg19`, `proof_pile`, `books`, `mathematics`, ...).
        limit: keep the first `limit` documents; None keeps all.
        ids: keep exactly these documents, in this order; None keeps all.

    Raises:
        UsageError: no such corpus, its files or package are missing, or an id is not in it.
    """
    require(data, name)
    documents = (Document(id=row[0], text=row[1]) for row in _rows(data, name))
    return Documents(name=name, source=data.source, items=select(documents, data, name, limit, ids))


def select(
    documents: Iterable[Kind], data: Data, name: str, limit: int | None, ids: list[str] | None
) -> tuple[Kind, ...]:
    """Those of a corpus's part that are asked for; the arguments are those of `load`.

    Raises:
        UsageError: nothing is left, an id is not there, or two documents share one.
    """
    corpus = data.corpora[name]
    own = (document for document in documents if _in_part(document.id, corpus))
    items = tuple(islice(islice(own, corpus.documents) if ids is None else _named(own, ids, name), limit))
    if not items:
        raise UsageError(f"corpus '{name}' of data={data.source} holds no document: check conf/data")
    if len({document.id for document in items}) < len(items):
        raise UsageError(f"corpus '{name}' of data={data.source} has two documents of one id: make ids unique")
    return items


def rows(data: Data, name: str, texts: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Rows of a corpus with all their fields and an `id`, for tasks whose data is more than one text.

    Args:
        data: the configured source, `local` or `hub`.
        name: the corpus.
        texts: fields that must hold text.

    Raises:
        UsageError: no such corpus, its files are missing or damaged, or the source has texts alone.
    """
    if data.source in TEXT_ALONE:
        raise UsageError(f"data={data.source} has no '{name}': set data=local data.root=<directory>, or data=hub")
    require(data, name)
    corpus = data.corpora[name]
    return _local_rows(data, corpus, texts) if data.source == "local" else hub.rows(corpus, data.kept)


def require(data: Data, name: str) -> None:
    """Make sure, without reading it, that a corpus can be had.

    Raises:
        UsageError: no such corpus, or its files are missing.
    """
    if name not in data.corpora:
        raise UsageError(
            f"corpus '{name}' is not in data={data.source}, which has {', '.join(sorted(data.corpora))}: "
            "choose one of these or add it to conf/data"
        )
    if data.corpora[name].part not in PARTS:
        raise UsageError(f"corpus '{name}' has part={data.corpora[name].part}: choose one of {', '.join(PARTS)}")
    most = data.corpora[name].documents
    if most is not None and most < 1:
        raise UsageError(f"corpus '{name}' has documents={most}: expected at least 1, or null for all")
    if data.source == "embedded" and data.corpora[name].collection not in COLLECTIONS:
        raise UsageError(
            f"corpus '{name}' has collection={data.corpora[name].collection}: choose one of {', '.join(COLLECTIONS)}"
        )
    if data.source == "hub" and not data.corpora[name].dataset:
        raise UsageError(f"corpus '{name}' names no data set of the hub: choose data=hub, not data.source=hub")
    if data.source != "local":
        return
    if data.root is None:
        raise UsageError(f"data=local needs a directory for corpus '{name}': set data.root=<directory>")
    for relative in data.corpora[name].files:
        path = Path(data.root) / relative
        if not path.is_file():
            raise UsageError(f"corpus '{name}' is missing: no file {path}; set data.root to a directory with it")


def in_test_part(document_id: str) -> bool:
    """Whether a document belongs to the test third of a corpus that has no official split.

    Decided by a hash of the id, never by position: neighbouring documents are often chapters of one book.
    """
    return int(hashlib.sha256(document_id.encode()).hexdigest(), 16) % 3 == 0


def _in_part(document_id: str, corpus: Corpus) -> bool:
    return corpus.part == "all" or (corpus.part == "test") == in_test_part(document_id)


def _named(documents: Iterable[Kind], ids: list[str], name: str) -> list[Kind]:
    wanted = set(ids)
    found: dict[str, Kind] = {}
    for document in documents:
        if document.id in wanted:
            found[document.id] = document
            if len(found) == len(wanted):
                break
    missing = [identifier for identifier in ids if identifier not in found]
    if missing:
        raise UsageError(f"corpus '{name}' has no document {', '.join(missing)}: correct task.ids")
    return [found[identifier] for identifier in ids]


def _rows(data: Data, name: str) -> Iterator[tuple[str, str]]:
    corpus = data.corpora[name]
    if data.source == "made_up":
        return made_up.documents(name)
    if data.source == "embedded":
        return COLLECTIONS[corpus.collection]()
    if data.source == "local":
        return ((row["id"], row["text"]) for row in _local_rows(data, corpus, ("text",)))
    return ((row["id"], row[corpus.text_field]) for row in hub.rows(corpus, data.kept))


def _local_rows(data: Data, corpus: Corpus, texts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Rows of a local corpus, their `id` as text.

    Raises:
        UsageError: a file is no gzipped JSON lines, or a row lacks its id or one of the fields `texts`.
    """
    for relative in corpus.files:
        path, number = Path(str(data.root)) / relative, 1
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    for name in texts:
                        if not isinstance(row[name], str):
                            raise TypeError(f"the {name} of {row['id']} is {row[name]!r}")
                        row[name].encode()  # half of a surrogate pair is no text, and no tokenizer takes it
                    yield {**row, "id": str(row["id"])}
                    number += 1
        except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
            raise UsageError(
                f"{path}:{number} cannot be read ({_shortened(error)}): expected gzipped JSON lines with 'id' and "
                + " and ".join(f"'{name}'" for name in texts)
            ) from error


def _shortened(error: Exception) -> str:
    """What is wrong on one line that does not repeat a whole document."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 200 else f"{text[:200]} ..."
