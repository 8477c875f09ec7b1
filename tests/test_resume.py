"""kill -9 during tuning and during evaluation, then the same command again: the same records as an unbroken run."""

import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import begun, completed

COMMAND = [
    "model=smoke", "method=pi", "context=x4", "task=pg19", "task.documents=6", "task.truncate_factor=24",
    "train.steps=40", "train.batch_size=4", "train.save_every=4", "wandb=disabled", "compute.threads=1",
    "data=local",
]  # fmt: skip


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long prose and mathematics in the layout of data=local, made of random words."""
    folder = tmp_path_factory.mktemp("text")
    generator = random.Random(0)
    words = ["".join(generator.choices("aeioulnrst", k=generator.randint(2, 8))) for _ in range(500)]
    for name in ("pg19/test", "books/train", "proof_pile/latex", "proof_pile/isabelle_afp"):
        path = folder / f"{name}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as lines:
            for number in range(12):
                text = " ".join(generator.choices(words, k=3000))
                lines.write(json.dumps({"id": f"{path.stem}-{number}", "text": text}) + "\n")
    return folder


@pytest.fixture(scope="module")
def unbroken(text_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    carry_out(folder, text_folder)
    return folder


def command(folder: Path, data: Path) -> list[str]:
    return [*COMMAND, f"data.root={data}", *(f"paths.{name}={folder / name}" for name in ("results", "runs", "cache"))]


def carry_out(folder: Path, data: Path) -> None:
    said = folder / "said"
    completed(begun(command(folder, data), said), said=said)


def rows(folder: Path) -> Path:
    return folder / "results" / "single" / "smoke" / "rows.jsonl"


def numbers(folder: Path) -> list[dict[str, Any]]:
    """Records without what may differ between two runs that measured the same."""
    found = map(json.loads, rows(folder).read_text().splitlines())
    return [{key: row[key] for key in row if key not in ("seconds", "created")} for row in found]


def kill_when(folder: Path, data: Path, reached: Callable[[], bool]) -> None:
    """Start the run in a process of its own and kill it, without warning, once it has got so far."""
    process = begun(command(folder, data), folder / "said")
    deadline = time.monotonic() + 120
    while not reached():
        assert process.is_alive(), "the run ended before it could be killed: make it longer"
        assert time.monotonic() < deadline, "the run did not get far enough in time"
        time.sleep(0.02)
    process.kill()
    process.join()


def test_a_killed_run_ends_with_the_records_of_an_unbroken_one(
    tmp_path: Path, text_folder: Path, unbroken: Path
) -> None:
    kill_when(tmp_path, text_folder, lambda: any(tmp_path.glob("runs/training/*/checkpoint-*/complete")))
    steps = [int(path.parent.name.split("-")[1]) for path in tmp_path.glob("runs/training/*/*/complete")]
    assert max(steps) < 40, "tuning was over before the kill"

    whole = "runs/losses/*/[!.]*.sha256"  # the last of a document; what is being written begins with a dot
    kill_when(tmp_path, text_folder, lambda: len(list(tmp_path.glob(whole))) >= 2)
    done = {path: path.stat().st_mtime_ns for path in (end.with_suffix("") for end in tmp_path.glob(whole))}

    carry_out(tmp_path, text_folder)
    assert numbers(tmp_path) == numbers(unbroken)
    assert sum(row["task"] == "tuning" for row in numbers(tmp_path)) == 40, "a loss for each step"
    for path, written in done.items():
        assert path.stat().st_mtime_ns == written, "a finished document was computed again"


def test_a_second_run_reuses_everything(text_folder: Path, unbroken: Path) -> None:
    before = rows(unbroken).read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in (unbroken / "runs").rglob("*.npz")}
    assert kept
    carry_out(unbroken, text_folder)
    assert rows(unbroken).read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (unbroken / "runs").rglob("*.npz")} == kept
