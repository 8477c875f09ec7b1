"""The main job beside the published results: no tracked file changes, and the last word is how far they agree."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from position_interpolation.app import main_job
from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError

HOME = Path(__file__).resolve().parents[1]
MODULE = "position_interpolation.app.main_job"


def recipe(target: str) -> list[list[str]]:
    """What `make <target>` runs of this package, as words behind `-m`."""
    printed = subprocess.run(["make", "-n", target], cwd=HOME, capture_output=True, text=True, check=True).stdout
    lines = [shlex.split(line) for line in printed.splitlines() if " -m position_interpolation" in line]
    return [line[line.index("-m") + 1 :] for line in lines]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """The commands that are started; none of them is run."""
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(main_job, "_run", lambda *words: commands.append(tuple(map(str, words))) or 0)
    monkeypatch.chdir(tmp_path)
    return commands


def test_reproducing_goes_beside_what_is_published_and_publishing_into_it(started: list[tuple[str, ...]]) -> None:
    for target, folder in (("reproduce", "reproduced"), ("publish", "results")):
        ((module, *arguments),) = recipe(target)
        assert module == MODULE
        started.clear()
        main_job.main(Path(arguments[0]), arguments[1:])
        runs = [
            ("position_interpolation", f"experiment={name}", f"paths.results={folder}") for name in main_job.EXPERIMENTS
        ]
        compared = [("position_interpolation.compare", "reproduced", "results")] if target == "reproduce" else []
        assert started == [*runs, *compared]


def test_what_make_is_told_reaches_every_run(started: list[tuple[str, ...]]) -> None:
    main_job.main(Path("reproduced"), ["experiment=theory,smoke", "compute.dtype=float32"])
    assert [words[1::2] for words in started[:-1]] == [
        ("experiment=theory", "compute.dtype=float32"),
        ("experiment=smoke", "compute.dtype=float32"),
    ]


def test_a_failed_experiment_is_the_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[object] = []
    monkeypatch.setattr(main_job, "_run", lambda *words: asked.append(words) or 3)
    assert main_job.main(Path("reproduced"), []) == 3
    assert len(asked) == 1


def test_two_at_once_are_refused_and_the_first_goes_on(started: list[tuple[str, ...]]) -> None:
    with files.locked(main_job.LOCK), pytest.raises(UsageError, match=r"another process is at work on .*runs/main_job"):
        main_job.main(Path("reproduced"), [])
    assert not started
    assert main_job.main(Path("reproduced"), []) == 0  # a lock is gone with its holder


def test_a_results_folder_that_is_a_file_is_refused(started: list[tuple[str, ...]]) -> None:
    Path("reproduced").write_text("mine")
    with pytest.raises(UsageError, match="reproduced is a file"):
        main_job.main(Path("reproduced"), [])
    assert (started, Path("reproduced").read_text()) == ([], "mine")


@pytest.mark.skipif(not (HOME / ".git").exists(), reason="not a clone: nothing is tracked")
def test_reproducing_changes_nothing_that_is_tracked(tmp_path: Path) -> None:
    """In a clone of its own, with the shortest of its experiments; then the tests that read results/ hold as before."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--local", str(HOME), str(clone)], check=True)
    ((module, *arguments),) = recipe("reproduce")
    command = [sys.executable, "-m", module, *arguments, "experiment=theory", "wandb=disabled"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Agrees: none of 65 values beyond rounding, none of 11 claims otherwise." in done.stdout
    assert (clone / "reproduced" / "theory" / "tiny" / "README.md").is_file()
    status = ["git", "status", "--porcelain"]
    assert subprocess.run(status, cwd=clone, capture_output=True, text=True, check=True).stdout == ""
    reading = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    chosen = ["tests/test_readme.py", "tests/test_results.py", "-k", "of_the_readme or theory-tiny"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    checked = subprocess.run([*reading, *chosen], cwd=clone, capture_output=True, text=True, check=False, env=plain)
    assert checked.returncode == 0, checked.stdout
