"""How long a run would take: durations as people say them, and a run that is timed and leaves nothing."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from position_interpolation.app import launch, run
from position_interpolation.planning import timing
from position_interpolation.planning.timing import duration
from position_interpolation.settings.schema import Config

HOME = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.052, "0.052 seconds"), (1.04, "1.0 seconds"), (9.96, "10 seconds"), (34.4, "34 seconds"),
        (119, "119 seconds"), (750, "12 minutes"), (7_100, "118 minutes"), (9_000, "2.5 hours"),
    ],
)  # fmt: skip
def test_a_duration_is_said_in_the_largest_unit_that_it_fills_twice(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def timed(tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    arguments = ["model=smoke", "task=timing", "wandb=disabled", f"paths.runs={tmp_path / 'runs'}", *more]
    (config,) = launch.checked(arguments)
    run.run(config)
    return capsys.readouterr().out


def test_steps_and_a_forward_are_timed_and_nothing_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = timed(tmp_path, capsys, "train.steps=500", "task.steps=2", "task.forwards=7")
    step, whole = re.findall(r"a step of tuning: ([\d.]+) seconds, 500 steps: ([\d.]+) (?:seconds|minutes)", said)[0]
    assert float(step) > 0
    assert float(whole) > 0
    assert "a forward of 256 tokens: " in said
    assert "with 7 such forwards: about " in said
    assert not list((tmp_path / "runs").glob("timing-*"))
    assert not (tmp_path / "runs" / "training").exists()


def test_of_what_is_not_tuned_a_forward_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "tuning" not in timed(tmp_path, capsys, "train=untuned", "context=x2")


def test_steps_of_tuning_are_timed_past_the_warm_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([100.0, 102.0, 104.0, 110.0, 0.0, 3.0])  # the first step's end, three more, a forward's two ends
    monkeypatch.setattr("position_interpolation.planning.timing.perf_counter", lambda: next(ticks))
    said = timed(tmp_path, capsys, "train.steps=90", "task.forwards=4")
    assert said.splitlines() == [
        "a step of tuning: 2.0 seconds, 90 steps: 3 minutes",
        "a forward of 256 tokens: 3.0 seconds",
        "with 4 such forwards: about 3 minutes",
    ]


def test_every_step_is_timed_by_itself_whatever_is_told_and_gone_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B hears of some steps only, and a checkpoint may lie past the few steps that are timed."""
    heard: list[Any] = []

    def stub(config: Config, listener: Any) -> Any:
        heard.append(config.train)
        for step in range(config.train.steps):
            if (step + 1) % config.train.log_every == 0:
                listener({"train/loss": 1.0})

    monkeypatch.setattr("position_interpolation.planning.timing.prepare", stub)
    monkeypatch.setattr("position_interpolation.planning.timing._forward", lambda *_: 1.0)
    monkeypatch.setattr("position_interpolation.planning.timing.perf_counter", iter(range(100)).__next__)
    (config,) = launch.checked(
        ["model=smoke", "task=timing", "task.steps=30", "train.steps=1", f"paths.runs={tmp_path}"]
    )
    timing.time_run(replace(config, train=replace(config.train, resume_from="checkpoint-900")))
    assert "a step of tuning: 1.0 seconds, 1 step: 1.0 seconds" in capsys.readouterr().out
    assert (heard[0].steps, heard[0].resume_from) == (31, None)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_compiled_forward_is_timed_at_the_length_that_it_was_compiled_for(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    monkeypatch.setattr("position_interpolation.planning.timing._read", lambda _, ids: read.append(ids.shape[1]))
    model = SimpleNamespace(config=SimpleNamespace(vocab_size=9), device="cpu")
    config = SimpleNamespace(compute=SimpleNamespace(compile=compiled))
    timing._forward(SimpleNamespace(model=model, config=config), 256)  # type: ignore[arg-type]
    assert read == [257 if compiled else 65, 257]


def test_a_sweep_is_timed_job_by_job_and_renders_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["experiment=quickstart", "model=smoke", "task=timing", f"paths.runs={tmp_path}", "compute.jobs=4"]
    configs = launch.checked([*command, f"paths.results={HOME / 'results'}"])
    assert len(configs) == 5
    assert launch.side_by_side(command, configs) == 1
    monkeypatch.setattr("position_interpolation.report.pages.render", lambda folder: pytest.fail(str(folder)))
    launch.finish([replace(config, model=replace(config.model, rung="tiny")) for config in configs])
