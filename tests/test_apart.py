"""No job of a sweep takes the place of another's rows or W&B run; only what would collide gets names of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from position_interpolation.app import apart, checks, launch
from position_interpolation.app.tracking import job_name
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import EXPERIMENTS
from position_interpolation.settings.schema import Config
from position_interpolation.text import corpora


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    launch.register()
    monkeypatch.setattr(corpora, "require", lambda data, name: data.corpora[name])


def swept(*overrides: str) -> list[Config]:
    configs = [launch.typed(launch.composed(job)) for job in launch.jobs(list(overrides))]
    apart.tell_apart(configs)
    return configs


def covering(jobs: list[list[str]]) -> Iterator[list[str]]:
    """As many of a sweep's jobs as it takes to see each choice once, the others as they were."""
    seen: set[str] = set()
    for job in jobs:
        if not set(job) <= seen:
            seen |= set(job)
            yield job


SOON = 30  # jobs are composed in seconds
TUNED = ("model=tiny", "method=pi", "train.steps=3")


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        (["train.clip=0.5,1,2"], ["train.clip"]),
        (["train.weight_decay=0,0.1", "task=pg19_short,passkey_short"], ["train.weight_decay"]),
        (["train.clip=0.5,1", "train.beta2=0.9,0.95"], ["train.clip", "train.beta2"]),
        (["train.mixture.books=0.6,0.75"], ["train.mixture.books"]),
        (["train.mixture.recall=0,0.25"], ["train.mixture.recall"]),  # a share of 0 is left out of the mixture
        (["data.corpora.books.documents=2,3"], ["data.corpora.books.documents"]),
        (["compute.dtype=float32,bfloat16"], ["compute.dtype"]),
        (["task=passkey_short", "task.digits=4,5"], ["task.digits"]),
        (["method=by_parts", "method.options.slow=1,2"], ["method.options.slow"]),
        (["task=passkey_short", "data=embedded,hub"], ["data.source"]),  # tuned on other text
        (["task=pg19_short", "task.bootstrap=10,20"], ["task.bootstrap"]),
        (["train=tune,tune_long", "train.steps=2"], ["train.learning_rate"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_jobs_whose_rows_would_collide_carry_what_was_swept(overrides: list[str], keys: list[str]) -> None:
    configs = swept(*TUNED, *overrides)
    assert all(sorted(config.varied) == sorted(keys) for config in configs)
    assert len({job_name(config) for config in configs}) == len(configs)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["extension=none,pi_x4", "train.steps=2,4"], []),
        (["seed=0,1,2"], ["seed"]),  # rows have the seed, and pages pool them: W&B runs alone need the name
        (["task=pg19_short", "task.stride=16,32"], ["task.stride"]),
        (["task=pg19_short", "data=embedded,hub"], ["data.source"]),
        (["train.log_every=1,2", "compute.threads=1,2"], []),
        (["extension=pi_x4_untuned", "train.clip=1,2"], []),
    ],
    ids=lambda value: " ".join(value),
)
def test_rows_that_stand_beside_each_other_anyway_stay_as_they_are(overrides: list[str], named: list[str]) -> None:
    configs = swept("model=tiny", *overrides)
    assert all(not config.varied and config.swept == named for config in configs)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*/sweep.yaml")), ids=lambda path: path.parent.name)
def test_every_experiment_of_ours_can_run_and_needs_no_more_than_it_says(path: Path) -> None:
    jobs = launch.jobs([f"experiment={path.parent.name}"])
    jobs = jobs if len(jobs) <= SOON else list(covering(jobs))
    configs = [launch.typed(launch.composed(job)) for job in jobs]
    assert configs
    for config in configs:
        checks.check(config)
    said = [config.varied for config in configs]
    apart.tell_apart(configs)
    assert [config.varied for config in configs] == said


def test_hydra_is_told_and_every_job_composes_with_it() -> None:
    arguments = ["--multirun", *TUNED, "train.learning_rate=1e-3,1e-2", "train.mixture.books=0.6,0.35", "seed=0,1",
                 "++train.mixture.proof_pile=0,0.25", "wandb=disabled"]  # fmt: skip
    configs = swept(*arguments[1:])
    told = apart.overrides(configs)
    again = [launch.typed(launch.composed(job)) for job in launch.jobs([*arguments, *told])]
    assert [derived.settings(config) for config in again] == [derived.settings(config) for config in configs]
    assert len({str(derived.settings(config)) for config in again}) == 8
    assert len({job_name(config) for config in again}) == 16


def test_jobs_that_would_write_over_each_other_are_refused(tmp_path: Path) -> None:
    sweep = ["--multirun", "method=pi,ntk", "task=export", f"paths.runs={tmp_path}"]
    with pytest.raises(
        UsageError, match=r"2 jobs of this sweep would write to .*out, each in the place of the one bef"
    ):
        launch.checked([*sweep, f"task.folder={tmp_path}/out"])
    jobs = launch.checked([*sweep, f"task.folder={tmp_path}/${{method.name}}"])
    assert [job.task.folder for job in jobs] == [f"{tmp_path}/pi", f"{tmp_path}/ntk"]
