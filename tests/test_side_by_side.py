"""Jobs of a sweep side by side: the same records as one after another, and no process is left whatever happens."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from processes import begun, completed

from position_interpolation.app import launch, side_by_side
from position_interpolation.app.run import run
from position_interpolation.evidence.records import read
from position_interpolation.planning.opening import opening
from position_interpolation.settings.errors import UsageError

SWEEP = [
    "--multirun", "model=smoke", "data.source=made_up", "task=pg19", "task.documents=1", "task.truncate_factor=8",
    "train.steps=4", "train.batch_size=2", "wandb=disabled", "extension=none,pi_x4",
]  # fmt: skip


def places(folder: Path) -> list[str]:
    return [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]


def running(folder: Path) -> list[int]:
    """Workers, whose command lines name a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (process / "cmdline").read_text() and int(process.name) != os.getpid():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def driver(folder: Path, gpus: int) -> Path:
    """What NVIDIA's driver shows of so many GPUs."""
    for number in range(gpus):
        (folder / f"0000:0{number}:00.0").mkdir(parents=True)
    return folder


def gone(folder: Path, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while running(folder) and time.monotonic() < until:
        time.sleep(0.2)
    return not running(folder)


def test_jobs_of_one_training_stay_together() -> None:
    command = ["experiment=table4_passkey", "model=smoke", "data.source=made_up"]
    configs, jobs = launch.checked(command), launch.jobs(command)
    workers = side_by_side._grouped(jobs, configs)
    assert [worker.name.split(",")[0] for worker in workers] == [
        "smoke extrapolation x4 tuned", "smoke pi x4 tuned", "smoke pi x8 tuned", "smoke pi x16 tuned",
        "smoke none x1 untuned",
    ]  # fmt: skip
    assert {len(worker.jobs) for worker in workers} == {5}
    assert sorted(job for worker in workers for job in worker.jobs) == sorted(jobs)


def test_seeds_and_settings_are_trainings_of_their_own() -> None:
    command = ["experiment=sweep_learning_rate", "model=smoke", "data.source=made_up", "seed=0,1"]
    workers = side_by_side._grouped(launch.jobs(command), launch.checked(command))
    assert len(workers) == 3 * 4 * 2, "extensions, rates and seeds"


def test_how_many_is_as_asked_for_else_by_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    (config,) = launch.checked(["model=smoke", "data.source=made_up", "compute.device=cpu"])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for threads, jobs, memory, expected in (
        (None, None, 64, 8), (2, None, 64, 4), (None, None, 13, 3), (None, None, 1, 1), (None, 5, 1, 5),
    ):  # fmt: skip
        monkeypatch.setattr(side_by_side, "_free_gibibytes", lambda memory=memory: memory)
        asked = replace(config, compute=replace(config.compute, threads=threads, jobs=jobs))
        assert side_by_side.workers_at_a_time(asked) == expected


def test_processes_that_share_each_job_start_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them would start all of these, and those of two jobs would meet at one address."""
    (config,) = launch.checked(["model=smoke", "data.source=made_up", "train=untuned", "compute.jobs=5"])
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert side_by_side.workers_at_a_time(config) == 1


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("auto", "0,1,2", 3),
        ("cuda", "GPU-a, GPU-b", 2),
        ("auto", "0", 1),
        ("cuda", "", 1),
        ("cpu", "0,1", 8),
        ("auto", "-1", 8),
        ("auto", "0,-1,1", 1),
        ("cuda", "0,0", 1),
    ],
)
def test_one_a_gpu_where_there_are_gpus(
    device: str, visible: str, expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (config,) = launch.checked(["model=smoke", "data.source=made_up", f"compute.device={device}"])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(side_by_side, "_free_gibibytes", lambda: 64)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(side_by_side, "DRIVER", driver(tmp_path, 4))
    assert side_by_side.workers_at_a_time(config) == expected
    asked = replace(config, compute=replace(config.compute, jobs=5))
    assert side_by_side.workers_at_a_time(asked) == 5


def test_gpus_are_counted_from_the_driver_unless_they_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (config,) = launch.checked(["model=smoke", "data.source=made_up", "compute.device=auto"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(side_by_side, "DRIVER", driver(tmp_path, 4))
    assert side_by_side.workers_at_a_time(config) == 4


def test_a_name_in_the_environment_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (config,) = launch.checked(["model=smoke", "data.source=made_up", "compute.device=auto", "compute.threads=1"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    monkeypatch.setattr(side_by_side, "DRIVER", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(side_by_side, "_free_gibibytes", lambda: 64)
    assert side_by_side.workers_at_a_time(config) == 2


def test_no_two_workers_share_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Five workers on two GPUs: whoever begins has one that nobody uses, and all of the processor's threads."""
    given = list[tuple[str, subprocess.Popen[bytes]]]()

    def begin(command: list[str], *, env: dict[str, str], **options: Any) -> subprocess.Popen[bytes]:
        gpu = env["CUDA_VISIBLE_DEVICES"]
        assert gpu not in [used for used, process in given if process.poll() is None]
        assert "compute.threads" not in command[-1]
        process = real([sys.executable, "-c", f"import time; time.sleep({len(given) % 2})"], **options)
        given.append((gpu, process))
        return process

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", begin)
    monkeypatch.setattr(side_by_side, "LOOK", 0.1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-b")
    monkeypatch.setattr(side_by_side, "DRIVER", driver(tmp_path / "gpus", 4))
    command = [*SWEEP[:-1], "extension=none,pi_x2,pi_x4,extrapolation_x2,extrapolation_x4", *places(tmp_path)]
    side_by_side.carry_out(launch.jobs(command), launch.checked(command), 2)
    assert [gpu for gpu, _ in given[:2]] == ["2", "GPU-b"]
    assert len(given) == 5


def test_the_records_are_those_of_one_job_after_another(tmp_path: Path) -> None:
    """Threads change rounding; so both have one."""
    together = [*SWEEP, "compute.jobs=2", *places(tmp_path / "together")]
    completed(begun(together, tmp_path / "said"), said=tmp_path / "said")
    assert (tmp_path / "said").read_text().count("done after") == 2
    for config in launch.checked([*SWEEP, "compute.threads=1", *places(tmp_path / "after")]):
        run(config)
    rows = {
        name: {row.identity: row.value for row in read(tmp_path / name / "results/single/smoke/rows.jsonl")}
        for name in ("together", "after")
    }
    assert rows["together"] == rows["after"]
    assert len(rows["together"]) > 10


def test_a_worker_that_fails_is_named_and_nothing_more_is_begun(tmp_path: Path) -> None:
    configs = launch.checked([*SWEEP, *places(tmp_path)])
    untuned, _ = launch.jobs(SWEEP)
    with pytest.raises(UsageError, match=r"smoke pi x4 tuned, seed 0: there is no model=nonesuch.*single-2-\w+\.log"):
        side_by_side.carry_out([untuned, ["model=nonesuch"]], configs, 1)
    assert not list((tmp_path / "runs/logs").glob("single-1-*.log"))


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_the_page_shows_what_was_measured_before_a_job_failed(at_a_time: int, tmp_path: Path) -> None:
    """A passkey prompt does not fit the base's 64 positions, which its tokenizer alone can tell."""
    sweep = [
        "--multirun", "model=smoke", "data.source=made_up", "train=untuned", "wandb=disabled", "extension=none_x1",
        "seed=0,1", "task=positions,passkey", f"compute.jobs={at_a_time}", *places(tmp_path),
    ]  # fmt: skip
    process = begun(sweep, tmp_path / "said")
    process.join(120)
    said = (tmp_path / "said").read_text()
    assert process.exitcode == 1
    assert "is too small for the passkey prompt" in said.splitlines()[-1]
    assert "Perplexity by position" in (tmp_path / "results/single/smoke/README.md").read_text()


def test_two_sweeps_that_share_runs_have_logs_of_their_own(tmp_path: Path) -> None:
    other = [*SWEEP, "train.log_every=7", *places(tmp_path)]
    sweeps = [SWEEP + places(tmp_path), other]
    logs = [
        {worker.log for worker in side_by_side._grouped(launch.jobs(sweep), launch.checked(sweep))} for sweep in sweeps
    ]
    assert len(logs[0] | logs[1]) == len(logs[0]) + len(logs[1]) == 4


def test_the_longest_training_begins_first() -> None:
    command = [
        "experiment=quickstart",
        "model=tiny",
        "train.steps=100",
        "extension=none,pi_x4,pi_x4_untuned,extrapolation_x4",
    ]
    workers = side_by_side._grouped(launch.jobs(command), launch.checked(command))
    assert [worker.name.split(",")[0].removeprefix("tiny ") for worker in workers] == [
        "pi x4 tuned", "extrapolation x4 tuned", "none x1 untuned", "pi x4 untuned",
    ]  # fmt: skip
    assert [worker.tokens for worker in workers] == [100 * 4 * 1024] * 2 + [0] * 2


def test_a_worker_that_was_killed_is_no_error_of_its_own(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
    worker = side_by_side.Worker("pi", [], tmp_path / "log", process=cast("subprocess.Popen[bytes]", killed))
    assert worker.fault.startswith("ended by signal 9 (was memory short?)")


def test_a_worker_whose_parent_was_gone_before_it_looked_ends() -> None:
    """Numbers of processes end before 2 ** 22, so this parent is nobody's."""
    code = "from position_interpolation.app import worker; import time; worker.end_with(2 ** 22 + 1); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", code], timeout=50).returncode == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left(how: signal.Signals, tmp_path: Path) -> None:
    parent = begun([*SWEEP, "compute.jobs=2", *places(tmp_path), "train.steps=100000"], tmp_path / "said")
    try:
        logs, until = tmp_path / "runs/logs", time.monotonic() + 120
        while not any("tuning:" in log.read_text() for log in logs.glob("single-2-*.log")) and time.monotonic() < until:
            time.sleep(0.5)
        assert parent.is_alive()
        assert running(tmp_path)
        assert parent.pid
        os.kill(parent.pid, how)
        parent.join(60)
        assert not parent.is_alive()
        assert gone(tmp_path, 30)
    finally:
        parent.kill()


def test_the_opening_counts_each_training_once_at_its_most_steps() -> None:
    """Table 4 by hand: four extensions of 1000 steps of 4096 tokens; 200 to 800 steps are on the way."""
    configs = launch.checked(["experiment=table4_passkey", "model=tiny", "data.source=made_up", "paths.results=out"])
    first, second, third = opening(configs, at_a_time=2)
    assert first == "table4_passkey on tiny: 25 jobs, 2 at a time; tasks: passkey"
    assert second.startswith("to tune: 4 trainings, 16.4 million tokens")
    assert third == "records, tables, figures and a page: out/table4_passkey/tiny"


@pytest.mark.parametrize(("options", "expected"), [(["train.schedule=constant"], 1), (["train.schedule=wsd"], 5)])
def test_a_falling_rate_makes_every_number_of_steps_a_training(options: list[str], expected: int) -> None:
    command = ["experiment=table4_passkey", "model=smoke", "data.source=made_up", "extension=pi_x4", *options]
    assert len(side_by_side._grouped(launch.jobs(command), launch.checked(command))) == expected


def test_untuned_methods_need_nothing_of_each_other() -> None:
    """Every band of frequencies is an extension of its own."""
    command = ["experiment=bands", "model=smoke", "data.source=made_up"]
    command += ["method.options={first:0,last:3},{first:0,last:7}", "method.attention_slope=0.0,0.1"]
    workers = side_by_side._grouped(launch.jobs(command), launch.checked(command))
    assert [len(worker.jobs) for worker in workers] == [2, 2, 2, 2], "two tasks each"
