"""Two and four processes tune and measure what one does; what some of them saved, any number goes on from."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from processes import begun, beside_each_other, children, completed

from position_interpolation.tuning.checkpoints import loss_curve

# Two micro-batches a step in each of two processes, one in each of four.
TUNED = [
    "model=smoke", "method=pi", "context=x4", "task=pg19", "task.documents=1", "task.truncate_factor=8",
    "data.source=made_up", "train.steps=6", "train.batch_size=4", "train.checkpoints=[3]", "train.save_every=1",
    "compute.tokens_per_forward=256", "compute.threads=1", "compute.dtype=float32", "wandb=disabled",
]  # fmt: skip
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def arguments(folder: Path, *changes: str) -> list[str]:
    return [*TUNED, *(f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")), *changes]


def torchrun(processes: int, folder: Path, *changes: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [*command, "-m", "position_interpolation", *arguments(folder, *changes)], env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def begin(processes: int, folder: Path, *changes: str) -> dict[Path, BaseProcess]:
    """As torchrun does, which would have each process read all libraries anew; by what they say."""
    several = beside_each_other(processes) if processes > 1 else [{}]
    said = [folder / f"said-{rank}" for rank in range(processes)]
    return {
        log: begun(arguments(folder, *changes), log, **ONE_THREAD, **own)
        for log, own in zip(said, several, strict=True)
    }


def run(processes: int, folder: Path, *changes: str) -> None:
    started = begin(processes, folder, *changes)
    completed(*started.values(), said=next(iter(started)))


def losses(folder: Path) -> list[float]:
    (training,) = folder.glob("runs/training/*")
    return [row["loss"] for row in loss_curve(training)]


def gradient_norms(folder: Path) -> list[float]:
    """Adam forgets how large gradients are, so a loss curve alone would not show that they were summed wrongly."""
    (path,) = folder.glob("runs/training/*/checkpoint-6/trainer_state.json")
    return [row["grad_norm"] for row in json.loads(path.read_text())["log_history"] if "grad_norm" in row]


def numbers(folder: Path) -> dict[str, Any]:
    """Signature and value of every record, apart from the training losses."""
    lines = (folder / "results" / "single" / "smoke" / "rows.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["task"] == "pg19"]
    named = {f"{row['metric']} {row['eval_window']} {row['protocol']} {row['signature']}": row["value"] for row in rows}
    assert len(named) == len(rows)
    return named


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    run(1, folder)
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    started = torchrun(2, folder, "compute.recompute=true")  # which changes no number either
    told, said = started.communicate()
    assert started.returncode == 0, said
    assert told.count("Page, tables and figures:") == 1, "one process speaks"
    return folder


def test_two_processes_have_the_losses_of_one(alone: Path, two: Path) -> None:
    assert losses(two) == pytest.approx(losses(alone), abs=1e-4)
    assert gradient_norms(two) == pytest.approx(gradient_norms(alone), rel=1e-4)


def test_two_processes_write_the_records_of_one(alone: Path, two: Path) -> None:
    """The same signatures: whether a checkpoint or a number is there does not depend on who made it."""
    assert numbers(two) == pytest.approx(numbers(alone), rel=1e-4)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_share_a_window_have_the_losses_of_one(processes: int, alone: Path, tmp_path: Path) -> None:
    """Two share each window; of four, two others share another. Evaluation is not shared in this way."""
    run(processes, tmp_path, "compute.context_parallel=2", "compute.recompute=true")
    assert losses(tmp_path) == pytest.approx(losses(alone), abs=1e-4)
    assert gradient_norms(tmp_path) == pytest.approx(gradient_norms(alone), rel=1e-4)
    assert numbers(tmp_path) == pytest.approx(numbers(alone), rel=1e-4)


@pytest.mark.parametrize("processes", [1, 4])
def test_what_two_saved_any_number_goes_on_from(processes: int, alone: Path, two: Path, tmp_path: Path) -> None:
    shutil.copytree(two / "runs" / "training", tmp_path / "runs" / "training")
    (training,) = (tmp_path / "runs" / "training").iterdir()
    shutil.rmtree(training / "checkpoint-6")
    run(processes, tmp_path)
    assert "checkpoint-6" in {path.name for path in training.iterdir()}
    assert losses(tmp_path) == pytest.approx(losses(alone), abs=1e-4)
    assert numbers(tmp_path) == pytest.approx(numbers(alone), rel=1e-4)


def test_one_process_killed_ends_all_and_the_same_command_goes_on(alone: Path, tmp_path: Path) -> None:
    process = torchrun(2, tmp_path, "train.checkpoints=[1,2,3]")
    deadline = time.monotonic() + 120
    while not any(tmp_path.glob("runs/training/*/checkpoint-1/complete")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run did not get far enough in time"
        time.sleep(0.002)
    os.kill(sorted(children(process.pid))[1], signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0, "torchrun ends the others"
    run(2, tmp_path)
    assert losses(tmp_path) == pytest.approx(losses(alone), abs=1e-4)


def test_a_refused_command_line_is_one_line(tmp_path: Path) -> None:
    started = begin(2, tmp_path, "train.batch_size=3")
    for process in started.values():
        process.join()
    assert [process.exitcode for process in started.values()] == [1, 1]
    said = "".join(log.read_text() for log in started)
    assert said.count("error: train.batch_size=3 sequences do not divide among 2 processes") == 1
