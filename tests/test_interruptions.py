"""A full disk, a kill and Ctrl-C: one line that says where and how to go on, nothing half, nothing left behind."""

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import begun, forked
from safetensors import SafetensorError

from position_interpolation import __main__ as entry
from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.machine import files
from position_interpolation.models import export
from position_interpolation.settings.errors import UsageError, told

PLACES = ("results", "runs", "cache")
KILLED = """
import os, sys
from pathlib import Path
from position_interpolation.machine import files
files.write(Path(sys.argv[1]), lambda place: (place.write_text("half"), os.kill(os.getpid(), 9)), sys.argv[2])
"""


def command(folder: Path, *more: str) -> list[str]:
    """A run of seconds on random weights and words."""
    return [
        "model=smoke", "method=pi", "context=x4", "data.source=made_up", "train.steps=6", "train.batch_size=2",
        "train.save_every=3", "task.documents=1", "wandb=disabled", "compute.threads=1",
        *(f"paths.{name}={folder / name}" for name in PLACES), *more,
    ]  # fmt: skip


def exporting(folder: Path) -> list[str]:
    asked = [text for text in command(folder) if not text.startswith("task.")]
    return [*asked, "task=export", f"task.folder={folder / 'out'}"]


def carry_out(arguments: list[str]) -> None:
    (config,) = launch.checked(arguments)
    run(config)


# What is written


@pytest.mark.parametrize("name", ["losses.npz", "rows [1].jsonl"])
def test_what_a_killed_writer_left_goes_with_the_next_write(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    subprocess.run([sys.executable, "-c", KILLED, str(path), path.suffix], check=False)
    assert len(list(tmp_path.iterdir())) == 1, "the kill left nothing: this test would hold for any writer"
    files.write(path, lambda place: place.write_text("whole"), path.suffix)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"

    def meanwhile(place: Path) -> None:
        files.write_text(path, "theirs")
        place.write_text("ours")

    files.write(path, meanwhile)
    assert path.read_text() == "ours"


def test_writers_of_one_file_leave_each_others_alone(tmp_path: Path) -> None:
    """Processes that start at the same moment try whether a folder can be written, and none removes another's file."""
    place = tmp_path / "place"

    def write(count: int) -> None:
        for _ in range(count):
            files.write_text(place, "")
            place.unlink(missing_ok=True)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as writers:
            list(writers.map(write, [100] * 8))  # raises what a writer raised
    finally:
        sys.setswitchinterval(usual)
    assert not list(tmp_path.iterdir())


def test_a_link_stays_one(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere" / "rows.jsonl"
    kept.parent.mkdir()
    (tmp_path / "rows.jsonl").symlink_to(kept)
    for text in ("old", "new"):
        with files.locked(tmp_path / "rows.jsonl"):
            files.write_text(tmp_path / "rows.jsonl", text)
        assert kept.read_text() == text
    assert (tmp_path / "rows.jsonl").is_symlink()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("100000 requested and 5104 written"), "100000 requested and 5104 written"),
        (SafetensorError("Error while serializing: No space left"), "Error while serializing"),
        (RuntimeError("unexpected pos 576 vs 534\nmore"), "unexpected pos 576 vs 534 ("),
    ],
)
def test_a_full_disk_has_a_name_whatever_the_library_says(error: Exception, said: str, tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="free there") as refused,
        files.writing(tmp_path / "new" / "file", SafetensorError, RuntimeError),
    ):
        raise error
    line = told(refused.value)
    assert line.startswith(f"error: {tmp_path / 'new' / 'file'}: ")
    assert said in line
    assert "the same command goes on" in line
    assert "\n" not in line


@pytest.mark.parametrize("size", [1, 100, 4000, 100_000])
@pytest.mark.parametrize("short", [1, 3, 127])
def test_an_array_that_misses_its_last_bytes_is_never_kept(size: int, short: int, tmp_path: Path) -> None:
    """numpy writes through a buffer of C's; where the last of it does not fit, nobody is told."""
    path, array = tmp_path / "tokens.npy", np.arange(size, dtype=np.uint32)
    files.write_array(path, array)
    most = path.stat().st_size - short
    path.unlink()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))  # noqa: E731
    outcome = forked(lambda: files.write_array(path, array), tmp_path, limit).ended()
    assert (outcome.status, path.exists(), files.intact(path)) == (1, False, False)
    assert "File too large" in outcome.said


def test_a_reader_that_went_away_is_no_full_disk() -> None:
    assert told(BrokenPipeError(errno.EPIPE, "Broken pipe")).startswith("stopped, as nobody reads on what it prints: ")


def test_a_run_that_nobody_listens_to_is_carried_out(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    asked = [sys.executable, "-m", "position_interpolation", *command(tmp_path, "train=untuned")]
    done = subprocess.run(asked, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.returncode == 0, done.stderr.decode()
    assert list(tmp_path.glob("results/single/smoke/rows.jsonl"))


@pytest.mark.parametrize("words", [["hydra.run.dir={0}"], ["--multirun", "hydra.sweep.dir={0}"]])
def test_hydras_own_folder_that_cannot_be_made_is_one_line(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    own = [word.format(tmp_path / "file" / "below") for word in words]
    options = [word for word in own if word.startswith("--")]
    process = begun([*options, *command(tmp_path, "train=untuned"), *own[len(options) :]], tmp_path / "said")
    process.join()
    said = (tmp_path / "said").read_text()
    assert (process.exitcode, "Traceback" in said) == (1, False)
    assert said.splitlines()[-1].startswith(f"error: {tmp_path / 'file' / 'below'}: Not a directory; ")


def test_an_error_that_has_a_place_keeps_it(tmp_path: Path) -> None:
    files.write_text(tmp_path / "file", "in the way")
    with pytest.raises(OSError, match=r"file'$") as refused:
        files.write_text(tmp_path / "file" / "below", "")
    assert told(refused.value).startswith(f"error: {tmp_path / 'file'}: ")


def test_a_checkpoint_that_cannot_be_saved_is_one_error_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    def full(self: Any, model: Any, trial: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_save_checkpoint", full)
        with pytest.raises(OSError, match="checkpoint-3") as refused:
            carry_out(command(tmp_path))
    assert "No space left" in told(refused.value)
    carry_out(command(tmp_path))  # and the same command goes on
    assert list((tmp_path / "results").rglob("rows.jsonl"))


# Exports


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run kept that has tuned what is exported."""
    folder = tmp_path_factory.mktemp("trained")
    carry_out(exporting(folder))
    shutil.rmtree(folder / "out")
    return folder


@pytest.mark.parametrize("moved", [0, 1, 3])
def test_an_interrupted_export_is_repeated_by_the_same_command(
    moved: int, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    left = [moved]

    def stopped(*arguments: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        os.replace(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stopped)
        if not moved:
            patched.setattr(export, "_save", stopped)
        with pytest.raises(KeyboardInterrupt):
            carry_out(exporting(tmp_path))
    assert not (tmp_path / "out" / "config.json").exists(), "half an export looks like a model"
    carry_out(exporting(tmp_path))
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "tokenizer.json"} <= written
    assert files.PARTIAL not in written
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (tmp_path / "out").iterdir()), "others read it too"


def test_an_export_over_an_earlier_one_leaves_what_is_not_its_own(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    carry_out(exporting(tmp_path))
    (tmp_path / "out" / "model.gguf").write_text("made of it")
    (tmp_path / "out" / ".partial").mkdir()
    (tmp_path / "out" / "model-00002-of-00002.safetensors").write_text("of a larger one")
    carry_out(exporting(tmp_path))
    assert (tmp_path / "out" / "model.gguf").read_text() == "made of it"
    assert (tmp_path / "out" / ".partial").is_dir()
    assert not (tmp_path / "out" / "model-00002-of-00002.safetensors").exists()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["max_position_embeddings"] == 256


# Memory


@pytest.mark.parametrize("train", ["tune", "untuned"])
def test_what_memory_cannot_hold_is_one_line(train: str, tmp_path: Path) -> None:
    """Embeddings of more bytes than a process has addresses."""
    asked = command(tmp_path, f"train={train}", "task=pg19_short", "model.architecture.vocab_size=100000000000000")
    with pytest.raises(UsageError, match=r"memory does not do \(.*\): set a lower compute.tokens_per_forward"):
        carry_out(asked)


# Ctrl-C


def test_ctrl_c_is_one_line_that_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry.launch, "checked", stopped)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == ("stopped: what was finished is kept, and the same command goes on")


def test_ctrl_c_in_the_midst_of_tuning_shows_no_traceback(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "position_interpolation", *command(tmp_path, "train.steps=100000")]
    process = subprocess.Popen(
        asked, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )  # fmt: skip
    until = time.monotonic() + 120
    while not any(tmp_path.glob("runs/training/*/checkpoint-*/complete")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().rstrip().endswith("stopped: what was finished is kept, and the same command goes on")
    assert "Traceback" not in said.decode()
