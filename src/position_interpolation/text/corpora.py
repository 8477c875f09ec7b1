"""Where text comes from: the Hugging Face hub, a local directory, or installed packages, behind one interface.

The source is chosen in the configuration and never swapped silently. Every document has a stable id, so that a result
can name what it was measured on.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from position_interpolation.settings import checks, naming
from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.schema import RECALL, Corpus, Data
from position_interpolation.text import hub, local
from position_interpolation.text.embedded import COLLECTIONS, made_up

PARTS = ("all", "train", "test")
FILES = ("local", "own")  # sources that read files below data.root
TEXT_ALONE = ("embedded", "made_up")  # sources of plain documents that have no questions or summaries


@dataclass(frozen=True)
class Document:
    """One text with an id that is the same wherever the text comes from (PG-19: its Project Gutenberg number)."""

    id: str
    text: str


Row = dict[str, Any]
Kind = TypeVar("Kind", bound=Document)


@dataclass(frozen=True)
class Documents:
    """A named list of documents with a fingerprint: what a record says about its data."""

    name: str
    source: str
    items: tuple[Document, ...]

    @property
    def sha256(self) -> str:
        """Fingerprint of ids and texts, in order."""
        return fingerprint(self.items)


def fingerprint(items: Iterable[Any]) -> str:
    """Fingerprint of every field of some dataclasses, in order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps([*vars(item).values()]).encode())
    return digest.hexdigest()


def load(data: Data, name: str, limit: int | None = None, ids: list[str] | None = None) -> Documents:
    """Load the corpus of a role (`pg19`, `proof_pile`, `books`, `mathematics`, ...) from the configured source.

    A limit keeps the first so many documents; ids keep exactly these documents, in this order.

    Raises:
        UsageError: there is no such corpus, its files or package are missing, or an id is not in it.
    """
    require(data, name)
    field = data.corpora[name].text_field
    documents = (Document(row["id"], row[field]) for row in _read(data, name, (field,)))
    return Documents(name=called(data, name), source=data.source, items=select(documents, data, name, limit, ids))


def called(data: Data, name: str) -> str:
    """What pages call a corpus: your own text by its folder's name, any other by its role."""
    return naming.of_text(data.root, name) if data.source == "own" else name


def shares(data: Data, mixture: dict[str, float]) -> str:
    """A training mixture in words, its corpora called as on pages: `books 0.6, recall 0.4`."""
    found: dict[str, float] = {}
    for name, share in mixture.items():
        own = name if name == RECALL else called(data, name)
        found[own] = found.get(own, 0) + share
    return ", ".join(f"{name} {share:g}" for name, share in found.items())


def select(
    documents: Iterable[Kind], data: Data, name: str, limit: int | None, ids: list[str] | None
) -> tuple[Kind, ...]:
    """The documents of a corpus's part that are asked for, as by `load`.

    Raises:
        UsageError: there is none, two share an id, or an id asked for is not there.
    """
    corpus = corpus_of(data, name)
    part = corpus.part
    own = (each for each in documents if part == "all" or (part == "test") == in_test_part(each.id))
    items = tuple(islice(islice(own, corpus.documents) if ids is None else _named(own, ids, name), limit))
    what = f"corpus '{name}' of data={data.source}"
    if not items and corpus.part != "all" and data.source in FILES:
        way_out = "make folders train and test in it" if data.source == "own" else "set its part=all"
        fault = f"a hash of the id puts none into the {corpus.part} part"
        raise UsageError(f"{what} holds no document: of those in {data.root}, {fault}; {way_out}")
    if not items:
        raise UsageError(f"{what} holds no document: check conf/data")
    twice = next((id_ for id_, count in Counter(document.id for document in items).items() if count > 1), None)
    if twice is not None:
        number = f", or set data.corpora.{name}.id_field=null to number the rows" if data.source == "hub" else ""
        where = _where(twice, data, name)
        raise UsageError(f"{what} has two documents of one id, '{twice}'{where}: make ids unique{number}")
    return items


def rows(data: Data, name: str, texts: tuple[str, ...] = ()) -> Iterator[Row]:
    """Rows with an `id` and text in the fields `texts`, for tasks that need more than one text.

    Raises:
        UsageError: the source has plain documents alone, there is no such corpus, or its files are missing or damaged.
    """
    if data.source in TEXT_ALONE:
        raise UsageError(f"data={data.source} has no '{name}': set data=local data.root=<directory>, or data=hub")
    require(data, name)
    return _read(data, name, texts)


def require(data: Data, name: str) -> None:
    """Refuse a corpus that is not there, or whose files are not; nothing is read."""
    if name not in data.corpora:
        way_out = "choose one of these or add it to conf/data"
        if "own" in (name, data.source):
            way_out = "your own text is measured by task=own_text data=own data.root=<folder>: set all three"
        known = ", ".join(sorted(data.corpora))
        raise UsageError(f"corpus '{name}' is not in data={data.source}, which has {known}: {way_out}")
    corpus = data.corpora[name]
    checks.check_fields(f"data.corpora.{name}", corpus)
    if data.source == "embedded":
        checks.known(f"data.corpora.{name}.collection", corpus.collection, COLLECTIONS)
    if data.source == "hub" and not corpus.dataset:
        raise UsageError(f"corpus '{name}' names no data set of the hub: choose data=hub, not data.source=hub")
    if data.source not in FILES:
        return
    if data.root is None:
        raise UsageError(f"data={data.source} needs a directory for corpus '{name}': set data.root=<directory>")
    try:
        local.files(Path(data.root), corpus_of(data, name))
    except UsageError as error:
        raise UsageError(f"corpus '{name}' is missing: {error}") from None


def corpus_of(data: Data, name: str) -> Corpus:
    """A corpus as it is read: in `own` text what is called `test`, `Test` or `test.jsonl` is the part `test`.

    Raises:
        UsageError: something is called like another part, and nothing like this one.
    """
    corpus, root = data.corpora[name], Path(str(data.root))
    if data.source != "own" or corpus.part == "all" or not root.is_dir():
        return corpus
    parts = {place.name: local.part(place) for place in sorted(root.iterdir())}
    if found := [name for name, part in parts.items() if part == corpus.part]:
        return replace(corpus, files=found, part="all")
    if other := [name for name, part in parts.items() if part in PARTS]:
        raise UsageError(f"{root} has {other[0]} and no {corpus.part}: make folders train and test in it")
    return corpus


def in_test_part(document_id: str) -> bool:
    """Whether a document belongs to the test third of a corpus that has no official split.

    A hash of the id decides, not the position, because neighbouring documents are often chapters of one book.
    """
    return int(hashlib.sha256(document_id.encode()).hexdigest(), 16) % 3 == 0


def _where(document_id: str, data: Data, name: str) -> str:
    """Where the first two documents of an id stand, if they are in files."""
    if data.source not in FILES:
        return ""
    rows = local.rows(Path(str(data.root)), corpus_of(data, name))
    return f" ({' and '.join(islice((place for place, row in rows if row['id'] == document_id), 2))})"


def _named(documents: Iterable[Kind], ids: list[str], name: str) -> list[Kind]:
    found: dict[str, Kind] = {}
    asked = set(ids)
    for document in documents:
        if document.id in asked:
            found[document.id] = document
        if len(found) == len(asked):
            break
    if missing := [identifier for identifier in ids if identifier not in found]:
        raise UsageError(f"corpus '{name}' has no document {', '.join(missing)}: correct task.ids")
    return [found[identifier] for identifier in ids]


def _read(data: Data, name: str, texts: tuple[str, ...]) -> Iterator[Row]:
    """Rows with an `id`; refused where one of the fields `texts` holds no text."""
    corpus = corpus_of(data, name)
    if data.source in TEXT_ALONE:
        plain = made_up(name) if data.source == "made_up" else COLLECTIONS[corpus.collection]()
        yield from ({"id": id_, corpus.text_field: text} for id_, text in plain)
        return
    found = hub.rows(corpus, data.kept) if data.source == "hub" else local.rows(Path(str(data.root)), corpus)
    for place, row in found:
        for field in texts:
            another = f", or set data.corpora.{name}.text_field" if field == corpus.text_field else ""
            way_out = f"remove the row{another}"
            if field not in row:
                there = ", ".join(map(str, row))
                raise UsageError(f"{place} has no field '{field}', but {there}: expected text in each row; {way_out}")
            if (wrong := _no_text(row[field])) is not None:
                raise UsageError(f"{place}: field '{field}' is no text ({wrong}): expected text in each row; {way_out}")
        if (wrong := _no_text(row["id"])) is not None:
            raise UsageError(f"{place}: its id is no text ({wrong}): rename the file, or correct the row's id")
        yield row


def _no_text(value: Any) -> str | None:
    """Why something is no text; None if it is. No tokenizer and no record takes half of a surrogate pair."""
    if not isinstance(value, str):
        return f"{value!r:.80}"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return shortened(error)
    return None
