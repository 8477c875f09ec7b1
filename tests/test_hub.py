"""The hub, through a server on 127.0.0.1: text and weights come as from files, and once; faults are one line."""

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Files, Hub, Repository, served

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence.records import Record, read
from position_interpolation.models import export
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.text import corpora

pytest.importorskip("datasets")
parquet = pytest.importorskip("pyarrow.parquet")
pyarrow = pytest.importorskip("pyarrow")

MODEL, TEST, TRAIN = "me/llama", "me/pg19-test", "me/pg19"


def book(number: int) -> dict[str, Any]:
    words = " ".join(f"{(7919 * number + step**3) % 99_991} apples" for step in range(150))
    return {"url": f"http://www.gutenberg.org/ebooks/{number}.txt", "text": f"Book {number}. {words}", "year": 1900}


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())


def checkpoint(model: Any, tokenizer: Any, folder: Path) -> Files:
    export.export(model, tokenizer, folder, "float32")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def hub(build_llama: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folders = [tmp_path_factory.mktemp("commit") for _ in range(2)]
    commits = [checkpoint(build_llama(seed=seed), tokenizer, folder) for seed, folder in enumerate(folders)]
    old, new = ([book(number) for number in range(first, first + 3)] for first in (10, 20))
    name = "data/test-00000-of-00001.parquet"
    readme = b"---\nconfigs:\n- config_name: short\n  data_files: test.parquet\n---\n"
    shelf = {
        TEST: Repository([{name: as_parquet(old)}, {name: as_parquet(new)}]),
        TRAIN: Repository([{"train.jsonl.gz": as_lines([book(number) for number in range(40, 60)])}]),
        "me/gated": Repository([{"test.parquet": as_parquet(old)}], gated=True),
        "me/script": Repository([{"script.py": b"raise SystemExit('never run')"}]),
        "me/subsets": Repository([{"README.md": readme, "test.parquet": as_parquet(old)}]),
    }
    found = Hub({MODEL: Repository(commits), "me/closed": Repository(commits, gated=True)}, shelf)
    with served(found):
        yield found


def environment(endpoint: str, home: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {**own, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}


# Table 1


def table1(folder: Path, *choices: str) -> list[str]:
    """Its rows of the base and of PI x2, tuned two steps."""
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    return [
        "experiment=table1_pg19", "extension=none_x2,pi_x2", "train.steps=2", "train.step_windows=4",
        "task.truncate_factor=4", "task.bootstrap=10", "train.mixture={books: 1.0, mathematics: 0, recall: 0}",
        "compute.dtype=float32", "compute.jobs=1", "wandb=disabled", *choices, *places,
    ]  # fmt: skip


def carried_out(arguments: list[str], env: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def numbers(folder: Path) -> dict[str, float]:
    def key(row: Record) -> str:
        return f"{row.method} {row.factor} {row.metric} {row.eval_window} {row.protocol} {row.at} {row.data['ids']}"

    (path,) = folder.glob("results/*/*/rows.jsonl")
    return {key(row): row.value for row in read(path)}


def test_table_1_is_the_same_from_the_hub_as_from_files_and_the_hub_is_read_once(hub: Hub, tmp_path: Path) -> None:
    """Streamed, over a connection that drops, at the revisions asked for, and offline from the second run on."""
    first = Repository.sha(0)
    asked = [
        "model=hub", f"model.location={MODEL}", f"model.revision={first}", "data=hub",
        f"data.corpora.pg19.dataset={TEST}", f"data.corpora.pg19.revision={first}",
        "data.corpora.books.dataset=json", f"data.corpora.books.files=[hf://datasets/{TRAIN}/*.jsonl.gz]",
    ]  # fmt: skip
    hub.drops["train.jsonl.gz"] = 200
    home, online = tmp_path / "home", tmp_path / "online"
    carried_out(["position_interpolation", *table1(online, *asked)], environment(hub.endpoint, home))
    assert not hub.drops, "the connection was dropped"

    files = {"pg19/test.jsonl.gz": range(10, 13), "books/train.jsonl.gz": range(40, 60)}
    for name, wanted in files.items():
        (tmp_path / "texts" / name).parent.mkdir(parents=True)
        rows = [{"id": str(number), **book(number)} for number in wanted]
        (tmp_path / "texts" / name).write_bytes(as_lines(rows))
    own = tmp_path / "llama"
    own.mkdir()
    for name, content in hub.models[MODEL].commits[0].items():
        (own / name).write_bytes(content)
    local = tmp_path / "local"
    launch.register()
    for overrides in launch.jobs(
        table1(local, "model=path", f"model.location={own}", f"data.root={tmp_path / 'texts'}")
    ):
        run(launch.typed(launch.composed(overrides)))
    assert numbers(online) == numbers(local)
    assert len({row for row in numbers(online) if "perplexity" in row}) > 10

    (online / "runs").rename(tmp_path / "measured")  # so that everything is read and computed again
    seen = len(hub.asked)
    jobs = json.dumps(launch.jobs(table1(online, *asked)))  # nothing is rendered again
    carried_out(["position_interpolation.app.worker", str(os.getpid()), jobs], environment("http://127.0.0.1:9", home))
    assert numbers(online) == numbers(local)
    assert len(hub.asked) == seen


# What is wrong with a repository

UNREADABLE = {
    "gated": (Corpus(dataset="me/gated", split="test"), "me/gated, split test could not be read .* run hf auth login"),
    "script": (Corpus(dataset="me/script"), "scripts are no longer supported.*name them by dataset=json files="),
    "absent": (Corpus(dataset="me/absent"), "'me/absent' doesn't exist on the Hub.*correct dataset"),
    "split": (Corpus(dataset=TEST, split="dev"), r"split dev could not be read .*Available splits: \['test'\]"),
    "subset": (Corpus(dataset="me/subsets", subset="long"), r"subset long.*'long' not found. Available: \['short'\]"),
    "revision": (Corpus(dataset=TEST, split="test", revision="0" * 39 + "9"), "Revision '0+9' doesn't exist"),
    "file": (Corpus(dataset="json", files=[f"hf://datasets/{TRAIN}/dev.jsonl"]), "files hf://.*Unable to find .*dev"),
    "field": (Corpus(dataset=TEST, split="test", text_field="book"), "row 0 has no field 'book', but url, text, year"),
    "id": (
        Corpus(dataset=TEST, split="test", id_field="isbn"),
        "has no field 'isbn', but url, text, year: set its id_",
    ),
    "number": (Corpus(dataset=TEST, split="test", text_field="year"), r"row 0: field 'year' is no text \(1900\)"),
}
MODELS = {
    "me/closed": "could not be read .*accept its terms on the hub",
    "me/nothing": "'me/nothing' could not be read .*check model.location and model.revision",
}
ASK = """
import json, sys
from position_interpolation.models import checkpoint
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.text import corpora

def said(ask):
    try:
        return repr(ask())
    except UsageError as error:
        return str(error)

asked = {name: Corpus(**entry) for name, entry in json.loads(sys.argv[1]).items()}
data = Data(source="hub", corpora=asked, kept=sys.argv[2])
found = {name: said(lambda: corpora.load(data, name)) for name in asked}
found |= {name: said(lambda: checkpoint.download(name, None)) for name in json.loads(sys.argv[3])}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def said(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each of them."""
    entries = {name: vars(corpus) for name, (corpus, _) in UNREADABLE.items()}
    arguments = [json.dumps(entries), str(tmp_path_factory.mktemp("kept")), json.dumps([*MODELS])]
    env = environment(hub.endpoint, tmp_path_factory.mktemp("home"))
    done = subprocess.run([sys.executable, "-c", ASK, *arguments], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_is_wrong_with_a_data_set_is_one_line(said: dict[str, str], fault: str) -> None:
    expect_line(said[fault], UNREADABLE[fault][1])


@pytest.mark.parametrize("name", MODELS)
def test_what_is_wrong_with_a_model_is_one_line(said: dict[str, str], name: str) -> None:
    expect_line(said[name], MODELS[name])


def expect_line(line: str, pattern: str) -> None:
    with pytest.raises(UsageError, match=pattern):
        raise UsageError(line)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "is no text .None."), (["a", "b"], r"is no text \(\['a', 'b'\]\)")],
    ids=["null", "list"],
)
def test_a_row_without_text_is_named(text: Any, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = [{"story": ["whole"] if isinstance(text, list) else "whole"}, {"story": text}]
    (tmp_path / "rows.jsonl.gz").write_bytes(as_lines(rows))
    corpus = Corpus(dataset="json", files=[str(tmp_path / "rows.jsonl.gz")], text_field="story")
    with pytest.raises(UsageError, match=r"row [01]: field 'story' .*remove the row"):
        corpora.load(Data(source="hub", corpora={"tales": corpus}), "tales")
