"""Hydra as people know it: choices of one's own, glob, completion, ~; and one line for what it cannot read."""

import re
import shlex
from pathlib import Path

import pytest

from position_interpolation import __main__ as entry
from position_interpolation.app import launch
from position_interpolation.settings.errors import UsageError

RUN = ["method=none", "context=x1", "train=untuned", "data.source=made_up", "wandb=disabled"]


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, in which Hydra's own folder may be made."""
    launch.register()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own(at_home: Path) -> Path:
    """A folder of choices: a model and an experiment."""
    for group, name, text in (
        ("model", "mine", "defaults: [smoke]\nname: mine"),
        ("experiment", "ours", "# @package _global_\nexperiment_name: ours\nseed: 7"),
    ):
        (at_home / "own" / group).mkdir(parents=True, exist_ok=True)
        (at_home / "own" / group / f"{name}.yaml").write_text(text)
    return at_home / "own"


# Choices of one's own


def test_choices_of_ones_own_are_found(own: Path) -> None:
    for option in ([f"--config-dir={own}"], ["--config-dir", "own"]):
        (config,) = launch.checked([*option, "model=mine", "experiment=ours", *RUN])
        assert (config.model.name, config.experiment_name, config.seed) == ("mine", "ours", 7)


@pytest.mark.parametrize("option", [["--config-dir=own"], ["--config-dir", "own"]])
def test_a_sweep_over_choices_of_ones_own_is_planned(option: list[str], own: Path) -> None:
    """Who carries the jobs out is asked of the whole command line, in which the folder may be a word of its own."""
    arguments = [*option, "--multirun", "model=mine", "seed=0,1", "compute.jobs=2", *RUN]
    configs = launch.checked(arguments)
    assert len(configs) == 2
    assert not launch.searched(arguments)
    assert launch.side_by_side(arguments, configs) == 2


def test_workers_of_a_sweep_are_told_where_they_are(own: Path) -> None:
    lines = launch.jobs(["--multirun", f"--config-dir={own}", "model=mine,smoke", *RUN])
    assert [launch.composed(line).model.name for line in lines] == ["mine", "smoke"]


def test_glob_takes_every_choice_that_matches_own_ones_too(own: Path) -> None:
    lines = launch.jobs(["--multirun", f"--config-dir={own}", "model=glob([mi*,smo*],exclude=smollm2*)", *RUN])
    assert [line[1] for line in lines] == ["model=mine", "model=smoke"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config-dir=/nowhere"], "--config-dir=/nowhere is no folder: expected one with <group>/<choice>.yaml"),
        (["--config-name=mine"], "put choices of your own into <folder>/model/<name>.yaml"),
        (["context=x2", "--multirun", "seed=1"], "expected options such as --multirun first"),
        (["--wandb"], "unrecognized arguments: --wandb"),
        (["--multirun", "context=glob(y*)"], "context=glob(y*) stands for no choice"),
        (["--cfg", "job", "train.stpes=3"], "did you mean 'train.steps'?"),
        (["task=passkey", "task.truncate_factor=2"], "no key 'task.truncate_factor' of this task, only of perplexity"),
        (["model="], "there is no model=: choose one of "),
        (["model=[1]"], "model=[1]: a group's choice is a word: write context=x4"),
        (["train={steps: 3}"], "a key in it is set by train.<key>=<value>"),
        (["data=null"], "data=null: a group's choice is a word"),
        (["+task=passkey"], "+task=passkey would add a second choice of task: write task=passkey"),
        (["--multirun", "+experiment=theory,rotation"], "a second choice of experiment: write experiment=theory"),
        (["hydra.sweeper.params={seed:'1,2'}"], "leave it out; what is swept is written --multirun seed=1,2"),
        (["+hydra.sweeper.params.seed=1"], "+hydra.sweeper.params.seed=1 sets a key of something that"),
        (
            ["--multirun", "+hydra.sweeper.params.seed=1,2"],
            "leave it out; what is swept is written --multirun seed=1,2",
        ),
        (["hydra.job.chdir=true"], "hydra.job.chdir=true would keep results from their page"),
        (["--multirun", "hydra.sweeper=null"], "Hydra needs its launcher and its sweeper: leave out"),
        (["--multirun", "hydra.launcher=null"], "leave out hydra.launcher=null"),
        (["--resolve"], "--resolve belongs to --cfg"),
        (["extension=null"], "extension=null chooses nothing: leave it out, or name one"),
        (["experiment=null"], "experiment=null chooses nothing"),
        (["~task"], "~task takes away what every run needs: choose another by task=<choice>"),
        (["train.clip=/dev/null"], "train.clip=/dev/null cannot be set (Value '/dev/null' of type 'str' could not be"),
        (["train.clip=x"], "could not be converted to Float): expected a number"),
        (["compute.recompute=x"], "(Value 'x' is not a valid bool (type str)): expected true or false"),
        (["experiment_name=[1]"], "(Cannot convert 'list' to string: '[1]'): expected text"),
        (["task.kind=null"], "is not Optional): expected a value, not null"),
        (["task.protocols=1.5"], "expected a list, [a,b]"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        launch.checked(arguments)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_sweep_is_refused_at_its_first_wrong_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Composing all jobs of a large one takes half a minute."""
    made: list[list[str]] = []
    compose = launch.composed
    monkeypatch.setattr(launch, "composed", lambda line, **how: made.append(line) or compose(line, **how))
    with pytest.raises(UsageError, match="no file /nowhere"):
        launch.checked(["--multirun", "seed=0,1,2", "data=local", "data.root=/nowhere", "task=pg19_short"])
    assert [line for line in made if "seed=1" in line or "seed=2" in line] == []


@pytest.mark.parametrize("option", [["--shell-completion", "query=bash"], ["--help"], ["--cfg", "job"]])
def test_what_only_shows_something_makes_nothing(option: list[str], at_home: Path) -> None:
    assert launch.checked([*option]) == []
    assert not list(at_home.iterdir())


# Places on disk


def test_home_is_where_the_shell_says_it_is(at_home: Path) -> None:
    (at_home / "texts" / "pg19").mkdir(parents=True)
    (at_home / "texts" / "pg19" / "test.jsonl.gz").write_bytes(b"")
    asked = [text for text in RUN if not text.startswith("data")]
    (config,) = launch.checked([*asked, "data=local", "data.root='~/texts'", "paths.runs='~/r'", "paths.cache='~'"])
    assert config.data.root == str(at_home / "texts")
    assert (config.paths.runs, config.paths.cache) == (str(at_home / "r"), str(at_home))
    shown = launch.composed(["paths.runs='~/r'"], with_hydra=True)
    assert shown.hydra.run.dir == f"{at_home}/r/hydra", "a folder named ~ would be made"


# What Hydra's grammar has another meaning for

ODD = [
    "~/texts", "/data/a=b", "/data/run=3 of 4", "übung", "/home/été", "it's", 'so "called"', "#1", "100%!", "a&b",
    "[draft", "x;y", "<folder>", "{half", "$HOME'", "a'b'c",
]  # fmt: skip


@pytest.mark.parametrize("value", ODD)
def test_the_line_says_how_to_quote_and_that_is_read_as_it_was_meant(value: str) -> None:
    """Whoever pastes it into a shell gets the value that was typed."""
    with pytest.raises(UsageError) as refused:
        launch.checked([f"data.root={value}"])
    told = re.search(r": write (.+); a list is ", str(refused.value))
    assert told is not None
    (word,) = shlex.split(told.group(1))
    assert launch.composed([word]).data.root == value.replace("~", str(Path.home()))


@pytest.mark.parametrize(
    "word", ["foo", "fo o=3", "", "[", "task.windows", "~~a=1", "[" * 3000 + "=1", "a=" + "[" * 3000]
)
def test_no_exception_of_a_parser_reaches_the_reader(word: str) -> None:
    with pytest.raises(UsageError) as refused:
        launch.checked([word])
    assert not re.search("Exception|viable|EOF|mismatched|extraneous|EQUAL", str(refused.value))
    assert "\n" not in str(refused.value)


def test_a_number_that_torchrun_did_not_set_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether this process speaks is what cannot be read then."""
    monkeypatch.setenv("RANK", "abc")
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 1
    said = "error: RANK=abc in the environment: expected a number, as torchrun sets it; unset it\n"
    assert capsys.readouterr().err == said
