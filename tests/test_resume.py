"""kill -9 during tuning and during evaluation, then the same command again: the same records as an unbroken run."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMAND = [
    "model=smoke", "method=pi", "context=x4", "task=pg19", "task.documents=6", "task.truncate_factor=24",
    "train.steps=40", "train.batch_size=4", "train.save_every=4", "wandb=disabled", "compute.threads=1",
    "data=local",
]  # fmt: skip


@pytest.fixture
def text_folder(tmp_path: Path) -> Path:
    """Long prose and mathematics in the layout of data=local, made of random words."""
    generator = random.Random(0)
    words = ["".join(generator.choices("aeioulnrst", k=generator.randint(2, 8))) for _ in range(500)]
    for name in ("pg19/test", "books/train", "proof_pile/latex", "proof_pile/isabelle_afp"):
        path = tmp_path / "text" / f"{name}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as lines:
            for number in range(12):
                text = " ".join(generator.choices(words, k=3000))
                lines.write(json.dumps({"id": f"{path.stem}-{number}", "text": text}) + "\n")
    return tmp_path / "text"


def command(folder: Path, data: Path) -> list[str]:
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    return [sys.executable, "-m", "position_interpolation", *COMMAND, f"data.root={data}", *places]


def numbers(folder: Path) -> list[dict[str, Any]]:
    """Records without what may differ between two runs that measured the same."""
    lines = (folder / "results" / "single" / "smoke" / "rows.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [{key: row[key] for key in row if key not in ("seconds", "created")} for row in rows]


def kill_when(folder: Path, data: Path, reached: Callable[[], bool]) -> None:
    """Start the run in a process group of its own and kill it, without warning, once it has got so far."""
    process = subprocess.Popen(
        command(folder, data), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not reached():
        assert process.poll() is None, "the run ended before it could be killed: make it longer"
        assert time.monotonic() < deadline, "the run did not get far enough in time"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_run_ends_with_the_records_of_an_unbroken_one(tmp_path: Path, text_folder: Path) -> None:
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    subprocess.run(command(unbroken, text_folder), check=True, capture_output=True)

    kill_when(killed, text_folder, lambda: any(killed.glob("runs/training/*/checkpoint-*/complete")))
    steps = [int(path.parent.name.split("-")[1]) for path in killed.glob("runs/training/*/*/complete")]
    assert max(steps) < 40, "tuning was over before the kill"

    whole = "runs/losses/*/[!.]*.npz"  # what is being written has a name that begins with a dot
    kill_when(killed, text_folder, lambda: len(list(killed.glob(whole))) >= 2)
    done = {path: path.stat().st_mtime_ns for path in killed.glob(whole)}

    subprocess.run(command(killed, text_folder), check=True, capture_output=True)
    assert numbers(killed) == numbers(unbroken)
    assert sum(row["task"] == "tuning" for row in numbers(killed)) == 40, "a loss for each step"
    for path, written in done.items():
        assert path.stat().st_mtime_ns == written, "a finished document was computed again"


def test_a_second_run_reuses_everything(tmp_path: Path, text_folder: Path) -> None:
    subprocess.run(command(tmp_path, text_folder), check=True, capture_output=True)
    before = (tmp_path / "results" / "single" / "smoke" / "rows.jsonl").read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.npz")}
    subprocess.run(command(tmp_path, text_folder), check=True, capture_output=True)
    assert (tmp_path / "results" / "single" / "smoke" / "rows.jsonl").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.npz")} == kept
