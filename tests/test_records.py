"""Records: what is written is read back, a new measurement replaces the old, nothing is half-written."""

import json
import multiprocessing
import stat
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from position_interpolation.evidence import records
from position_interpolation.evidence.records import MEASUREMENT, Record, merge, read, signature, write
from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError

RECORD = Record(
    experiment="table1_pg19",
    rung="tiny",
    model="tiny",
    weights_sha256="ab" * 32,
    method="pi",
    factor=4.0,
    window=1024,
    steps=200,
    task="pg19",
    eval_window=1024,
    stride=32,
    protocol="token",
    metric="perplexity",
    value=12.5,
    ci_low=12.0,
    ci_high=None,
    n_documents=2,
    n_tokens=1000,
    data={"name": "pg19", "source": "local", "sha256": "cd" * 32, "ids": ["4300", "été"]},
    seed=0,
    signature="0123456789abcdef",
    commit=None,
    versions={"torch": "2.13.0"},
    device="cpu, 2 threads",
    dtype="float32",
    seconds=1.5,
    created="2026-01-01T00:00:00+00:00",
)
# The fixed line: other tools read it.
FIELDS = [
    "experiment", "rung", "model", "weights_sha256", "method", "factor", "window", "steps", "task",
    "eval_window", "stride", "protocol", "metric", "at", "value", "ci_low", "ci_high", "n_documents",
    "n_tokens", "data", "seed", "signature", "commit", "versions", "device", "dtype", "seconds", "settings",
    "base_tokens", "created",
]  # fmt: skip
OTHER: dict[str, Any] = {
    "experiment": "table4_passkey", "rung": "llama", "model": "7b", "method": "none", "factor": 8.0,
    "window": 2048, "steps": 1000, "task": "proof_pile", "eval_window": 256, "stride": 64,
    "protocol": "window", "metric": "k_max", "at": 64, "seed": 1, "settings": {"train.clip": 2.0},
    "base_tokens": 8_000_000,
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "rows.jsonl"


# Lines


def test_a_record_comes_back_as_it_was_written(path: Path) -> None:
    other = replace(RECORD, metric="key_log_likelihood", method=None, factor=None, window=None, steps=None, value=-0.5)
    write(path, [RECORD, other])
    assert read(path) == [RECORD, other]


def test_a_number_that_is_none_is_never_written(path: Path) -> None:
    write(path, [RECORD])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(path, [replace(RECORD, value=float("nan"))])
    assert read(path) == [RECORD]


def test_a_line_has_the_fixed_fields_in_their_order(path: Path) -> None:
    write(path, [RECORD])
    assert [item.name for item in fields(Record)] == FIELDS
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [list(json.loads(line)) for line in lines] == [FIELDS]


def test_a_record_says_when_it_was_made() -> None:
    values = asdict(RECORD)
    del values["created"]
    made = datetime.fromisoformat(Record(**values).created)
    assert made.utcoffset() is not None
    assert abs((datetime.now(made.tzinfo) - made).total_seconds()) < 60


def test_no_file_has_no_records(path: Path) -> None:
    assert read(path) == []


@pytest.mark.parametrize(
    "line",
    ["{broken", '{"experiment": "table1_pg19"}', "[]", "3", ""],
    ids=["cut", "partial", "list", "number", "empty"],
)
def test_a_broken_line_is_named(line: str, path: Path) -> None:
    write(path, [RECORD, RECORD])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UsageError, match=rf"{path}:3 is no record"):
        read(path)


@pytest.mark.parametrize("name", ["eval_window", "ci_low"])
def test_words_for_a_number_are_named(name: str, path: Path) -> None:
    write(path, [replace(RECORD, **{name: "x"})])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=rf":1 is no record .*{name}"):
        read(path)


@pytest.mark.parametrize(
    ("name", "value"), [("settings", "clip=1"), ("settings", [1]), ("base_tokens", "8M"), ("at", "64")]
)
def test_words_for_a_field_are_named(name: str, value: Any, path: Path) -> None:
    write(path, [replace(RECORD, **{name: value})])
    with pytest.raises(UsageError, match=rf":1 is no record .*{name}"):
        read(path)


def test_two_values_of_one_number_are_refused_with_both_lines(path: Path) -> None:
    """As after a merge by hand; the page would show their mean. The same line twice does no harm."""
    write(path, [RECORD, RECORD])
    assert len(read(path)) == 2
    write(path, [RECORD, replace(RECORD, metric="other"), replace(RECORD, value=RECORD.value + 1)])
    with pytest.raises(UsageError, match=r":3 is no record \(line 1 has another value of the same number\)"):
        read(path)


def test_merging_into_a_file_with_a_broken_line_loses_nothing(path: Path) -> None:
    write(path, [RECORD])
    path.write_text(path.read_text() + "{broken\n")
    before = path.read_text()
    with pytest.raises(UsageError, match=":2 is no record"):
        merge(path, [RECORD])
    assert path.read_text() == before


# Merging


def test_a_new_measurement_takes_the_place_of_the_old_one(path: Path) -> None:
    second, third = replace(RECORD, eval_window=256), replace(RECORD, eval_window=512)
    merge(path, [RECORD, second, third])
    again = replace(second, value=99.0, signature="f" * 16, commit="new", created="later", n_tokens=7)
    new = replace(RECORD, eval_window=2048)
    merge(path, [new, again])
    assert read(path) == [RECORD, again, third, new]


@pytest.mark.parametrize("name", [*MEASUREMENT, "metric", "at"])
def test_records_that_measure_something_else_stand_side_by_side(name: str, path: Path) -> None:
    other = replace(RECORD, **{name: OTHER[name]})
    merge(path, [RECORD])
    merge(path, [other])
    assert read(path) == [RECORD, other]


@pytest.mark.parametrize("part", [{"name": "books"}, {"source": "hub"}, {"ids": ["4300"], "sha256": "ef" * 32}])
def test_other_documents_are_another_measurement(part: dict[str, Any], path: Path) -> None:
    other = replace(RECORD, data={**RECORD.data, **part})
    merge(path, [RECORD])
    merge(path, [other])
    assert read(path) == [RECORD, other]


def test_rows_that_a_new_measurement_does_not_repeat_go(path: Path) -> None:
    """Else distances of an older grid would stand beside the new ones as if they had been measured together."""
    old = [replace(RECORD, metric="success", at=k) for k in (32, 64)]
    new = replace(old[1], signature="f" * 16, value=0.5)
    merge(path, old)
    assert merge(path, [new]) == 2
    assert read(path) == [new]


def test_the_order_of_settings_does_not_matter(path: Path) -> None:
    first = replace(RECORD, settings={"train.clip": 1.0, "task.bos": True})
    merge(path, [first])
    merge(path, [again := replace(first, settings={"task.bos": True, "train.clip": 1.0})])
    assert read(path) == [again]


def test_a_document_of_a_smaller_set_does_not_replace_that_of_a_larger_one(path: Path) -> None:
    def loss(document: str, of: str) -> Record:
        return replace(RECORD, metric="document_loss", data={**RECORD.data, "ids": [document], "sha256": of})

    three = [loss(name, "three") for name in "abc"]
    merge(path, three)
    merge(path, [loss("a", "one")])
    assert read(path) == [*three, loss("a", "one")]


def test_processes_that_merge_at_once_lose_no_row(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(merge, [path] * 12, [[replace(RECORD, seed=seed)] for seed in range(12)]))
    assert sorted(record.seed for record in read(path)) == list(range(12))


# Signatures

parts = st.dictionaries(
    st.text(max_size=3),
    st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.none(), st.floats(allow_nan=False)),
    max_size=4,
)


@given(parts)
def test_a_signature_does_not_depend_on_the_order_of_keys(made: dict[str, Any]) -> None:
    turned = dict(reversed(made.items()))
    assert signature({"outer": made, "seed": 0}) == signature({"seed": 0, "outer": turned})


@given(parts, st.text(max_size=5), st.integers(0, 9))
def test_a_signature_depends_on_every_part(made: dict[str, Any], key: str, depth: int) -> None:
    other: dict[str, Any] = {**made, key: "another value " + str(made.get(key))}
    for _ in range(depth):
        made, other = {"in": made}, {"in": other}
    assert signature(made) != signature(other)


def test_a_signature_is_the_same_in_every_process() -> None:
    """Were it to change, every checkpoint and record made before would lose its name."""
    assert signature({"method": "pi", "factor": 4.0}) == "2ff66aa75ebaf431"


def test_a_signature_names_a_folder() -> None:
    assert len(signature({})) == 16
    int(signature({}), 16)


# Files


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    files.write_text(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half of the n")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write(path, fail)
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.jsonl"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(path: Path) -> None:
    files.write_text(path, "old")
    seen = []

    def slowly(temporary: Path) -> None:
        temporary.write_text("new")
        seen.append(path.read_text())

    files.write(path, slowly)
    assert seen == ["old"]
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_records_file_that_cannot_be_written_whole_stays(path: Path) -> None:
    write(path, [RECORD])
    with pytest.raises(TypeError):
        merge(path, [replace(RECORD, seed=1, data={"ids": {1, 2}})])
    assert read(path) == [RECORD]


def test_a_files_fingerprint_is_that_of_its_bytes(path: Path) -> None:
    files.write_text(path, "abc")  # FIPS 180-2, appendix B.1
    assert files.sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_commit_is_that_of_this_project_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed into the environment of some other project, the code is at none of that project's commits."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", tmp_path, *author, "commit", "--quiet", "--allow-empty", "-m", "theirs"], check=True)
    installed = tmp_path / "environment" / "packages"
    installed.mkdir(parents=True)
    monkeypatch.setattr(records, "HOME", installed)
    assert records.commit.__wrapped__() is None
    monkeypatch.setattr(records, "HOME", tmp_path)
    assert len(records.commit.__wrapped__() or "") == 12


def test_versions_name_the_libraries_that_compute() -> None:
    import torch

    release, told = records.versions()["torch"], torch.__version__  # which may name the build besides, as in +cu130
    assert told.startswith(release)
    assert "transformers" in records.versions()
