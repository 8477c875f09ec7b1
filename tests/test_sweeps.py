"""Sweeps as users run them: what a command line replaces, what a search minimises, what tuning leaves as records."""

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from processes import begun, completed
from test_report import BASE, perplexities

from position_interpolation.app import launch
from position_interpolation.app.run import objective, run
from position_interpolation.app.tracking import job_name
from position_interpolation.evidence import records
from position_interpolation.evidence.records import Record
from position_interpolation.machine import files
from position_interpolation.models import loading
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Model
from position_interpolation.tasks.tuning_curve import measure
from position_interpolation.text import corpora
from position_interpolation.tuning import checkpoints
from position_interpolation.tuning.extension import Prepared

RATES = "experiment=sweep_learning_rate"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    launch.register()
    monkeypatch.setattr(corpora, "require", lambda data, name: data.corpora[name])


def test_a_key_on_the_command_line_replaces_the_experiments_choices() -> None:
    found = launch.jobs([RATES, "extension=pi_x4", "train.steps=200"])
    assert {text for job in found for text in job if text.startswith("train.learning_rate")} == {
        "train.learning_rate=0.0003", "train.learning_rate=0.001", "train.learning_rate=0.003",
    }  # fmt: skip
    assert all({"extension=pi_x4", "train.steps=200"} <= set(job) for job in found)


def test_records_carry_the_rate_so_that_no_rate_replaces_another() -> None:
    configs = [launch.typed(launch.composed(job)) for job in launch.jobs([RATES, "train.steps=100"])]
    assert {config.task.name for config in configs} == {"heldout", "passkey"}
    rates = [(derived.settings(config) or {})["train.learning_rate"] for config in configs]
    assert {*rates} == {0.0003, 0.001, 0.003}
    assert len({job_name(config) for config in configs}) == len(configs)


def test_what_varies_is_read_from_the_configuration_in_its_own_types() -> None:
    (first, *_) = launch.jobs(["experiment=choices"])
    config = launch.typed(launch.composed(first))
    assert derived.settings(config) == {"train.schedule": "constant", "train.clip": 1.0, "task.bos": True}
    assert job_name(config) == "tiny-pi-x4-200steps-pg19-train.schedule=constant-train.clip=1.0-task.bos=True"
    assert derived.settings(launch.typed(launch.composed([]))) is None


def walked(folder: Path, *overrides: str) -> list[Record]:
    """The rows after one run of perplexity on a model of random weights."""
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    asked = ["model=smoke", "data.source=made_up", "method=none", "task=pg19_short", "task.documents=1"]
    run(launch.typed(launch.composed([*asked, "wandb=disabled", *places, *overrides])))
    return records.read(folder / "results" / "single" / "smoke" / "rows.jsonl")


def test_rows_of_one_setting_stand_beside_those_of_another_and_replace_their_own(tmp_path: Path) -> None:
    def clips(rows: list[Record]) -> list[float]:
        return [(row.settings or {})["train.clip"] for row in rows if row.metric == "bits_per_byte"]

    varied = ["varied=[train.clip]", "task.window_factors=[1]"]
    assert clips(walked(tmp_path, *varied, "train.clip=1")) == [1.0]
    assert clips(walked(tmp_path, *varied, "train.clip=2")) == [1.0, 2.0]  # reused, under this run's settings
    assert clips(walked(tmp_path, *varied, "train.clip=1")) == [1.0, 2.0]


def test_kept_records_of_versions_without_a_fingerprint_are_measured_again(tmp_path: Path) -> None:
    rows = walked(tmp_path, "task.window_factors=[1]")
    (path,) = (tmp_path / "runs" / "records").glob("*.json")
    kept = json.loads(path.read_text())["records"]
    path.write_text(json.dumps([{**row, "metric": "perplexity_0_64", "value": 2.5} for row in kept]))
    assert [row.value for row in walked(tmp_path, "task.window_factors=[1]")] == [row.value for row in rows]


def test_bases_are_compared_by_their_tokens_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"set model\.base_tokens"):
        walked(tmp_path, "experiment_name=base_tokens")


def test_both_ends_of_an_interval_are_checked() -> None:
    interval = "train.learning_rate=tag(log,interval(1e-4,1e-2))"
    single = ["extension=pi_x4", "train.steps=200", "train.schedule=constant", "task=heldout_extended"]
    found = launch.jobs([RATES, *single, interval])
    assert [job[1] for job in found] == ["train.learning_rate=0.0001", "train.learning_rate=0.01"]


def test_longropes_search_proposes_one_job_after_another_and_ends_with_options_to_type(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    command = [
        "experiment=longrope_search", "model=tiny", "data=embedded", "task.corpus=pg19", "task.documents=1",
        "task.truncate_factor=4", "hydra.sweeper.n_trials=2", "wandb=disabled",
        *(f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")),
    ]  # fmt: skip
    ends = launch.checked(command)
    assert [config.method.options["rises"] for config in ends] == [[-50] * 8 + [100], [150] * 8 + [100]]
    assert launch.side_by_side(command, ends) == 1
    completed(begun(command, tmp_path / "said"), said=tmp_path / "said")
    rows = records.read(tmp_path / "results" / "longrope_search" / "tiny" / "rows.jsonl")
    tried = {(row.settings or {})["method.options.rises"]: row.value for row in rows if row.metric == "perplexity"}
    assert len(tried) == 2
    found = OmegaConf.load(tmp_path / "runs" / "hydra" / "optimization_results.yaml")
    best = ", ".join(map(str, [*found.best_params.values(), 100]))
    assert found.best_value == tried[best] == min(tried.values())


@pytest.mark.parametrize("plugin", ["hydra/launcher=joblib", "hydra/launcher=submitit_slurm", "hydra/sweeper=optuna"])
def test_the_plugins_compose(plugin: str) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    assert launch.jobs([RATES, plugin])


def test_tuned_rows_share_one_training_and_untuned_rows_stay_untuned() -> None:
    """An experiment's budget replaces every other choice of `train`, but not that an extension is untuned."""
    for extension, steps in (("none_x16", 0), ("pi_x16", 1000)):
        config = launch.typed(launch.composed(["experiment=table1_pg19", f"extension={extension}"]))
        assert derived.treatment(config).steps == steps
        assert derived.evaluation_windows(config, config.task) == [256, 512, 1024, 2048, 4096]  # type: ignore[arg-type]
    untuned = launch.typed(launch.composed(["experiment=table1_pg19", "extension=pi_x8_untuned"]))
    assert derived.treatment(untuned) == derived.Treatment("pi", 8.0, 2048, 0)


def test_the_objective_is_the_perplexity_at_the_largest_window() -> None:
    rows = perplexities({BASE: (3.2, 5.1, 7.3)})
    (wanted,) = (
        row.value for row in rows if (row.metric, row.protocol, row.eval_window) == ("perplexity", "token", 1024)
    )
    assert objective(rows) == wanted
    assert objective([row for row in rows if row.metric == "document_loss"]) is None


# Loss curves


def test_blocks_of_equally_many_steps_by_hand() -> None:
    curve = [{"step": float(step), "loss": float(step)} for step in range(1, 7)]
    assert measure.averaged(curve, points=3) == [(2, 1.5), (4, 3.5), (6, 5.5)]
    assert measure.averaged(curve, points=50) == [(step, float(step)) for step in range(1, 7)]
    assert measure.averaged([]) == []


def prepared(folder: Path, *overrides: str) -> Prepared:
    """An extension tuned 3 steps whose training folder has one of 5, too: a longer run went on from there."""
    for steps in (3, 5):
        history = [{"step": step, "loss": 5 - step / 10, "grad_norm": 1.0} for step in range(1, steps + 1)]
        place = checkpoints.at(folder, steps)
        files.write_text(place / "trainer_state.json", json.dumps({"log_history": [*history, {"train_runtime": 1}]}))
        checkpoints.mark(place, kept=True)
    config = launch.typed(launch.composed(["task=pg19_short", "train.steps=3", *overrides]))
    parts: dict[str, Any] = {"training": {"data": {"books": "a", "mathematics": "b"}}, "steps": 3}
    return Prepared(derived.treatment(config), parts, lambda: folder / "checkpoint-3", config)


def test_a_tuned_extension_leaves_its_losses_as_records(tmp_path: Path) -> None:
    (measurement,) = measure.measurements(prepared(tmp_path))
    found = measurement.measure()
    assert measurement.task == "tuning"
    assert [(item.metric, item.at, item.estimate.value) for item in found] == [
        ("training_loss", 1, 4.9), ("training_loss", 2, 4.8), ("training_loss", 3, 4.7),
    ]  # fmt: skip
    assert [item.n_tokens for item in found] == [4 * 1024, 8 * 1024, 12 * 1024]  # batches of 4 windows of 1024
    assert found[0].data["name"] == "books 0.6, mathematics 0.15, recall 0.25"


def test_an_untuned_extension_has_no_losses(tmp_path: Path) -> None:
    assert list(measure.measurements(prepared(tmp_path, "extension=pi_x4_untuned"))) == []


# Bases on their way


def test_a_checkpoint_without_a_tokenizer_borrows_one(tmp_path: Path) -> None:
    for name in ("config.json",):
        (tmp_path / name).write_bytes((loading.ASSETS / "tiny" / name).read_bytes())
    config = launch.typed(launch.composed(["model=tiny_at", f"model.location={tmp_path}", "model.base_tokens=8000000"]))
    assert isinstance(config.model, Model)
    borrowed = loading.tokenizer(config.model, tmp_path)
    assert borrowed.encode("12") == loading.tokenizer(
        Model(source="packaged", location="tiny", window=256), tmp_path
    ).encode("12")
