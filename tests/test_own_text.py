"""Your own text: files as people have them, in folders or alone, under the name that their folder has."""

import gzip
import importlib.util
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from position_interpolation.app import launch
from position_interpolation.app.config_store import kinds
from position_interpolation.app.run import run
from position_interpolation.evidence.records import read
from position_interpolation.models import export
from position_interpolation.report import pages
from position_interpolation.settings import naming
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import HOME
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.text import corpora

TEXT = "Zwölf Boxkämpfer jagten Viktor.\nQuer über den Sylter Deich."
LINES = "".join(json.dumps({"text": f"{TEXT} {n}", "meta": {}}, ensure_ascii=False) + "\n" for n in range(3)).encode()
BOM = b"\xef\xbb\xbf"


def own(root: Path, **corpus: Any) -> Data:
    return Data(source="own", root=str(root), corpora={"own": Corpus(files=["."], **corpus)})


def found(root: Path, **corpus: Any) -> dict[str, str]:
    return {document.id: document.text for document in corpora.load(own(root, **corpus), "own").items}


def as_parquet(path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(
        pyarrow.table({"text": [f"{TEXT} {n}" for n in range(3)], "meta": [None] * 3}), path
    )


def as_zst(path: Path) -> None:
    path.write_bytes(zst(LINES[:50]) + zst(LINES[50:]))  # pieces compressed alone are one file, as in gzip


def zst(content: bytes) -> bytes:
    compressed: bytes = pytest.importorskip("pyarrow").compress(content, codec="zstd", asbytes=True)
    return compressed


THREE = {f"a-{n + 1}": f"{TEXT} {n}" for n in range(3)}
FILES: dict[str, tuple[str, bytes | Callable[[Path], None], dict[str, str]]] = {
    "text": ("a.txt", TEXT.encode(), {"a": TEXT}),
    "text with a byte order mark": ("a.txt", BOM + TEXT.encode(), {"a": TEXT}),
    "text of Windows": ("a.txt", TEXT.replace("\n", "\r\n").encode(), {"a": TEXT}),
    "text, compressed": ("a.txt.gz", gzip.compress(TEXT.encode()), {"a": TEXT}),
    "lines": ("a.jsonl", LINES, THREE),
    "lines, ended by an empty one": ("a.jsonl", LINES + b"\n", THREE),
    "lines with a byte order mark": ("a.jsonl", BOM + LINES, THREE),
    "lines in gzip": ("a.jsonl.gz", gzip.compress(LINES), THREE),
    "lines in gzip, in capitals": ("a.JSONL.GZ", gzip.compress(LINES), THREE),
    "lines without ids": ("a.jsonl", LINES.replace(b'"meta"', b'"id": null, "meta"'), THREE),
    "lines in zstd": ("a.jsonl.zst", as_zst, THREE),
    "parquet": ("a.parquet", as_parquet, THREE),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a folder"])
def test_files_are_read_as_they_are(kind: str, alone: bool, tmp_path: Path) -> None:
    name, content, documents = FILES[kind]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        content(tmp_path / name)
    assert found(tmp_path / name if alone else tmp_path) == documents


def test_a_folder_is_read_to_its_depths_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", ".git/config.txt", "cover.png", "README.md", "b/LICENSE.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"This is {name}.")
    assert found(tmp_path) == {"a": "This is a.txt.", "b-1": "This is b/1.txt.", "b-2": "This is b/2.txt."}


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    for name in ("texts", "elsewhere/deeper"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "elsewhere" / "deeper" / "1.txt").write_text(TEXT)
    (tmp_path / "texts" / "more").symlink_to(tmp_path / "elsewhere")
    assert found(tmp_path / "texts") == {"more-deeper-1": TEXT}


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst", "a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_what_was_compressed_and_then_cut_is_refused(name: str, left: float, tmp_path: Path) -> None:
    content = (gzip.compress if name.endswith(".gz") else zst)(LINES * 9_000)
    (tmp_path / name).write_bytes(content[: int(len(content) * left)])
    with pytest.raises(UsageError, match=rf"{re.escape(name)}:\d+ cannot be read \(.*(ended|empty|Truncated)"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("name", "row"), [(os.fsdecode(b"caf\xe9.txt"), TEXT), ("a.jsonl", '{"id": "\\ud800", "text": "One."}')]
)
def test_an_id_that_no_record_can_hold_is_refused_before_anything_is_measured(
    name: str, row: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(row)
    with pytest.raises(UsageError, match=r":1: its id is no text .*: rename the file, or correct the row's id"):
        found(tmp_path)


def test_fields_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"content": "One.", "isbn": 7}\n{"content": "Two.", "isbn": 8}\n')
    assert found(tmp_path, text_field="content", id_field="isbn") == {"7": "One.", "8": "Two."}
    with pytest.raises(
        UsageError, match=r"a\.jsonl:1 has no field 'text', but content, isbn.*corpora\.own\.text_field"
    ):
        found(tmp_path)
    with pytest.raises(UsageError, match=r"a\.jsonl:1 has no field 'author', but content, isbn"):
        found(tmp_path, text_field="content", id_field="author")


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Train", "TEST")])
def test_folders_called_train_and_test_are_the_parts(train: str, test: str, tmp_path: Path) -> None:
    for name in (f"{train}/1.txt", f"{train}/2.txt", f"{test}/3.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert found(tmp_path, part="test") == {"3": f"{test}/3.txt"}
    assert found(tmp_path, part="train") == {"1": f"{train}/1.txt", "2": f"{train}/2.txt"}


def test_files_of_rows_called_train_and_test_are_the_parts(tmp_path: Path) -> None:
    for name in ("train-00000-of-00001.jsonl", "test.jsonl", "validation.jsonl"):
        (tmp_path / name).write_text(json.dumps({"text": name}))
    assert found(tmp_path, part="test") == {"test-1": "test.jsonl"}
    assert list(found(tmp_path, part="train").values()) == ["train-00000-of-00001.jsonl"]


@pytest.mark.parametrize(("there", "asked"), [("test/1.txt", "train"), ("train.jsonl.gz", "test")])
def test_one_part_alone_asks_for_the_other(there: str, asked: str, tmp_path: Path) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("One.")
    (tmp_path / "2.txt").write_text("Two.")
    with pytest.raises(UsageError, match=f"and no {asked}: make folders train and test in it"):
        found(tmp_path, part=asked)


def test_files_of_one_id_are_named(tmp_path: Path) -> None:
    for name in ("a.md", "a.txt"):
        (tmp_path / name).write_text(name)
    with pytest.raises(UsageError, match=r"one id, 'a' \(\S+a\.md:1 and \S+a\.txt:1\): make ids unique"):
        found(tmp_path)


def test_without_them_a_hash_decides_and_an_empty_part_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "3.txt").write_text("In the training part.")
    assert found(tmp_path, part="train") == {"3": "In the training part."}
    with pytest.raises(UsageError, match="puts none into the test part; make folders train and test"):
        found(tmp_path, part="test")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.pdf", b"%PDF-1.7", "is or holds no file that can be read: expected .*jsonl"),
        ("a.txt", "Grüße".encode("latin-1"), r"a\.txt:1 cannot be read \(UnicodeDecodeError"),
        ("a.jsonl", b'{"text": "whole"}\n["half"]\n', r"a\.jsonl:2 cannot be read .*list where an object"),
        ("a.txt", TEXT[:1].encode("utf-16-le"), r"a\.txt:1 cannot be read .*NUL, as text in UTF-16"),
        ("a.parquet", b"PAR1", r"a\.parquet:1 cannot be read"),
        ("a.jsonl.zst", b"no zstd", r"a\.jsonl\.zst:1 cannot be read|pip install pyarrow"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, content: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=line):
        found(tmp_path)


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl.zst").write_bytes(b"packed")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs the package pyarrow: run pip install pyarrow"):
        found(tmp_path)


def measured(experiment: str, folder: Path, *choices: str) -> Path:
    """Two rows of an experiment, one of them tuned; the page over them."""
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    common = ["extension=none,pi_x2", "train.steps=2", "train.batch_size=2", "task.bootstrap=10", "wandb=disabled"]
    launch.register()
    for config in launch.checked([f"experiment={experiment}", *common, *choices, *places]):
        run(config)
    (rows,) = (folder / "results").glob("*/*/rows.jsonl")
    return pages.render(rows.parent)[-1]


def test_text_and_checkpoint_keep_their_own_names_on_the_page(
    tmp_path: Path, build_llama: Callable[..., Any], tokenizer: Any
) -> None:
    """And L is in the checkpoint's configuration: nothing but the two folders has to be said."""
    export.export(build_llama(window=32), tokenizer, tmp_path / "mine 2", "float32")
    for name in ("train/1.txt", "train/2.txt", "test/3.txt"):
        (tmp_path / "letters" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "letters" / name).write_text(f"{name} " * 300)
    page = measured(
        "own_text", tmp_path, f"data.root={tmp_path / 'letters'}", "model=path", f"model.location={tmp_path / 'mine 2'}"
    )
    assert page.parent.relative_to(tmp_path) == Path("results/own_text/mine_2")
    text = page.read_text()
    for shown in (
        "Perplexity on letters (own text, 1 document",
        "Tuned on **letters 0.75, recall 0.25**",
        "| mine_2 | 32 |",
    ):
        assert shown in text
    assert "model=path model.location=<folder> data=own data.root=<folder>" in text
    assert "pg19" not in text
    rows = read(page.parent / "rows.jsonl")
    assert {row.task for row in rows} == {"letters", "tuning"}
    assert {row.model for row in rows} == {"mine_2"}


@pytest.mark.parametrize("name", ["rotation", "theory", "pg19", "boolq", "tuning", "letters"])
def test_a_folder_that_is_called_as_a_task_of_ours_is_not_taken_for_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    launch.register()
    config = launch.typed(launch.composed(["task=own_text", "data=own", f"data.root={tmp_path / name}"]))
    shown = name if name == "letters" else f"{name}_text"
    assert (config.task.name, corpora.called(config.data, "own")) == (shown, shown)


@pytest.mark.parametrize("stated", [True, "64", None])
def test_a_base_that_does_not_state_its_window_is_refused(stated: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": stated}))
    launch.register()
    with pytest.raises(UsageError, match=rf"has max_position_embeddings={stated!r}: set model.window=<tokens>"):
        launch.composed(["model=path", f"model.location={tmp_path}"])


def test_checkpoints_of_two_trainings_have_names_of_their_own(tmp_path: Path) -> None:
    names = {naming.of(str(tmp_path / run / "checkpoint-100"), "own") for run in ("warm", "cold")}
    assert names == {"warm_checkpoint-100", "cold_checkpoint-100"}
    assert naming.of(str(tmp_path / "warm"), "own") == "warm"


def test_every_name_by_which_pages_know_what_they_show_is_one_of_ours() -> None:
    rows = (path.read_text() for path in (HOME / "results").glob("*/*/rows.jsonl"))
    published = {task for text in rows for task in re.findall('"task": "([^"]+)"', text)}
    assert naming.ours() > published | kinds().keys() - {"perplexity"} | {"passkey_map", "proof_pile"}


def test_the_two_files_that_docs_running_names_are_enough(tmp_path: Path) -> None:
    for name in ("pg19/test.jsonl.gz", "books/train.jsonl.gz"):
        (tmp_path / name).parent.mkdir()
        with gzip.open(tmp_path / name, "wt") as lines:
            lines.write(json.dumps({"id": name, "text": f"{name} " * 300}) + "\n")
    shown = next(line for line in (HOME / "docs/running.md").read_text().splitlines() if "data=local data.root" in line)
    own = [word for word in shown.split()[3:] if not word.startswith(("experiment=", "data.root="))]
    page = measured("quickstart", tmp_path, *own, f"data.root={tmp_path}", "model=smoke", "task=pg19_short")
    assert "Tuned on **books 0.75, recall 0.25**" in page.read_text()
