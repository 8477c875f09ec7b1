"""What was measured before: reused where nobody asks for more, measured again where it was deleted or damaged."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence import records
from position_interpolation.tasks.perplexity import losses

ODD = 2.5  # a value that no measurement gives


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each forward that scored something."""
    scored, seen = losses.scored_losses, []

    def counted(model: Any, ids: Any, count: int) -> Any:
        seen.append(count)
        return scored(model, ids, count)

    monkeypatch.setattr(losses, "scored_losses", counted)
    return seen


def values(folder: Path, *overrides: str, experiment: str = "single") -> list[float]:
    """The perplexity of every row, after a run of two windows on random weights."""
    launch.register()
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    asked = ["model=smoke", "method=none", "context=x2", "task=pg19_short", "task.documents=1", "task.bootstrap=10",
             "data.source=made_up", "task.minimum_factor=null", "task.truncate_factor=2", "task.window_factors=[1,2]",
             f"experiment_name={experiment}", "task.protocols=[token]", "wandb=disabled", *places]  # fmt: skip
    run(launch.typed(launch.composed([*asked, *overrides])))
    rows = records.read(folder / "results" / experiment / "smoke" / "rows.jsonl")
    return [row.value for row in rows if row.metric == "perplexity"]


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "runs" / "records").glob("*.json"))


def change(path: Path, hashed: bool) -> None:
    """Another value, as a disk's error would leave it, or as a run would have kept it."""
    found = json.loads(path.read_text())
    for row in found["records"]:
        row["value"] = ODD
    if hashed:
        found["sha256"] = records.signature({"records": found["records"]})
    path.write_text(json.dumps(found))


def test_reused_unless_asked_to_measure_again(tmp_path: Path, forwards: list[int]) -> None:
    true = values(tmp_path)
    once = len(forwards)
    for path in kept(tmp_path):
        change(path, hashed=True)
    assert values(tmp_path) == [ODD, ODD]
    assert len(forwards) == once
    assert values(tmp_path, "measure_again=true") == true
    assert len(forwards) == 2 * once, "raw losses were read back"
    assert values(tmp_path) == true


def test_deleted_rows_are_measured_again_where_they_were_deleted(tmp_path: Path) -> None:
    true = values(tmp_path)
    values(tmp_path, experiment="other")
    for path in kept(tmp_path):
        change(path, hashed=True)
    rows = tmp_path / "results" / "single" / "smoke" / "rows.jsonl"
    lines = rows.read_text().splitlines(keepends=True)
    rows.write_text("".join(line for line in lines if json.loads(line)["eval_window"] != 128))
    assert sorted(values(tmp_path)) == sorted([ODD, true[1]])
    assert values(tmp_path, experiment="new") == [ODD, true[1]]
    shutil.rmtree(tmp_path / "results" / "single")
    assert values(tmp_path) == true
    shutil.rmtree(tmp_path / "results" / "other")
    assert values(tmp_path, experiment="other") == true


def test_kept_records_whose_bytes_changed_are_measured_again(tmp_path: Path) -> None:
    true = values(tmp_path)
    for path in kept(tmp_path):
        change(path, hashed=False)
    assert values(tmp_path) == true


def test_a_run_that_was_killed_before_its_rows_were_written_goes_on(tmp_path: Path, forwards: list[int]) -> None:
    true = values(tmp_path)
    once = len(forwards)
    shutil.rmtree(tmp_path / "results")
    shutil.rmtree(tmp_path / "runs" / "merged")
    assert values(tmp_path) == true
    assert len(forwards) == once
