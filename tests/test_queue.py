"""The queue for a lent machine: parts that come together only when all are there, runs that leave records in time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from position_interpolation.app import launch
from position_interpolation.evidence import records
from position_interpolation.settings.places import EXPERIMENTS

QUEUE = EXPERIMENTS / "queue"
SMOKE = "model=smoke task=passkey_short task.window=256 extension=none"


def shell(script: str, *arguments: str | Path, place: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHON": sys.executable, "RESERVE": "0"}
    command = ["bash", str(QUEUE / script), *map(str, arguments)]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_parts_come_together_only_when_all_are_there(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for place in (here / "weights", there):
        place.mkdir(parents=True)
    content = os.urandom(3 << 20)
    (here / "weights/model.safetensors").write_bytes(content)
    assert shell("parts.sh", "split", "parts", "1", "weights", place=here).returncode == 0
    parts = sorted((here / "parts").iterdir())
    assert len(parts) == 4 + 1  # three MiB and the archive's own bytes, and the fingerprints

    (there / "parts").mkdir()
    for part in parts[:-1]:
        assert shell("parts.sh", "join", "parts", place=there).returncode == 3
        (there / "parts" / part.name).write_bytes(part.read_bytes())
    assert "parts.sha256 is not there" in shell("parts.sh", "join", "parts", place=there).stderr
    (there / "parts" / parts[-1].name).write_bytes(parts[-1].read_bytes())
    (there / "parts" / parts[1].name).write_bytes(b"damaged")
    assert "part.001" in shell("parts.sh", "join", "parts", place=there).stderr
    (there / "parts" / parts[1].name).write_bytes(parts[1].read_bytes())
    assert shell("parts.sh", "join", "parts", place=there).returncode == 0
    assert (there / "weights/model.safetensors").read_bytes() == content


def test_runs_leave_their_records_and_a_failed_one_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"# most wanted first\n{SMOKE} experiment_name=no/name\n\n{SMOKE}\n")
    done = shell("run.sh", "list", "5", "out", place=tmp_path)
    assert "failed with 1: error: experiment_name='no/name'" in done.stdout
    assert done.stdout.rstrip().endswith("done")
    assert records.read(tmp_path / "out/single.smoke.jsonl")


@pytest.mark.parametrize("minutes", ["0"])
def test_nothing_starts_when_the_time_is_over(minutes: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(SMOKE + "\n")
    assert "time is over before: model=smoke" in shell("run.sh", "list", minutes, "out", place=tmp_path).stdout
    assert not (tmp_path / "results").exists()


def test_every_run_of_every_list_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("position_interpolation.app.checks.corpora.require", lambda data, name: data.corpora[name])
    for path in QUEUE.glob("*.txt"):
        for line in path.read_text().splitlines():
            if not line.startswith("#"):
                assert launch.checked(line.split())
