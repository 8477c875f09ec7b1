"""The recipes for a method and a task, followed to the letter: what docs/ prints is run, from outside the package."""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from position_interpolation import tasks
from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Claim
from position_interpolation.evidence.records import Record, read
from position_interpolation.models import methods, rope
from position_interpolation.report.pages import render
from position_interpolation.tasks import registry
from position_interpolation.tasks.registry import Entry

DOCS = Path(__file__).resolve().parents[1] / "docs"
SMOKE = ["model=smoke", "train=untuned", "data=embedded", "wandb=disabled", "compute.threads=1"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def carried_out(overrides: list[str], folder: Path) -> list[Record]:
    (config,) = launch.checked([*SMOKE, *overrides, f"paths.results={folder}", f"paths.runs={folder}/runs"])
    run(config)
    return read(folder / "single" / "smoke" / "rows.jsonl")


@pytest.fixture
def choose() -> Iterator[Callable[[str, str, str], None]]:
    """Make a page's YAML a choice of a config group, for one test."""
    made: list[tuple[str, str]] = []
    repository = ConfigStore.instance()

    def store(group: str, name: str, page: str) -> None:
        repository.store(group=group, name=name, node=OmegaConf.create(blocks(page, "yaml")[0]))
        made.append((group, f"{name}.yaml"))

    yield store
    for group, name in made:
        repository.repo[group].pop(name)


def test_a_method_is_added_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choose: Callable[[str, str, str], None]
) -> None:
    function, line = blocks("add_a_method.md", "python")
    space = dict(vars(methods))
    exec(function, space)
    (name,) = re.findall(r'"(\w+)": \w+\}', line)
    monkeypatch.setitem(methods.METHODS, name, space[name])
    choose("method", name, "add_a_method.md")
    task = ["task=pg19_short", "task.documents=2", "task.truncate_factor=8", "task.window_factors=[1,4]"]
    rows = carried_out([f"method={name}", "context=x4", *task], tmp_path)
    assert {(row.method, row.factor, row.steps) for row in rows} == {(name, 4.0, 0)}
    base = rope.Geometry(10_000.0, 64, 256)
    made = space[name](base, 4.0)
    assert made.frequencies[0] == 1
    assert made.frequencies[-1] == pytest.approx(base.frequencies[-1] / 4)
    assert made.attention_scaling == pytest.approx(1 + 0.1 * np.log(4))


def test_a_task_is_added_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choose: Callable[[str, str, str], None]
) -> None:
    config, share, measure, line, page, claims = blocks("add_a_task.md", "python")
    folder = tmp_path / "guesses"
    folder.mkdir()
    for name, code in (("__init__", ""), ("config", config), ("share", share), ("measure", measure), ("page", page),
                       ("claims", claims)):  # fmt: skip
        (folder / f"{name}.py").write_text(code)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])  # as if it stood among the others
    settings = importlib.import_module("position_interpolation.tasks.guesses.config")
    space = {"Entry": Entry, "guesses": settings}
    ((kind, entry),) = eval("{" + line + "}", space).items()
    monkeypatch.setitem(registry.TASKS, kind, entry)
    choose("task", kind, "add_a_task.md")
    rows = carried_out(["method=none", f"task={kind}", "task.documents=2"], tmp_path)
    expected = [(kind, "guessed_right", 2, 64)]
    assert [(row.task, row.metric, row.n_documents, row.eval_window) for row in rows] == expected
    assert 0 <= rows[0].value <= 1
    carried_out(["method=pi", "context=x4", f"task={kind}", "task.documents=2"], tmp_path)
    rows = carried_out(["method=none", f"task={kind}", "task.documents=2", "task.corpus=proof_pile"], tmp_path)
    shown = render(tmp_path / "single" / "smoke")[-1].read_text()
    of_books, of_mathematics = (
        shown.split(f"Share of next tokens of {name} that")[0].split("## ")[-1] for name in ("pg19", "proof_pile")
    )
    assert "| smoke | 64 | none | 0 |" in of_books
    assert "| smoke | 256 | PI | 0 |" in of_books
    assert "| smoke | 64 | none | 0 |" in of_mathematics
    assert "| PI |" not in of_mathematics
    judge_its_claim(rows)
    texts = launch.checked(["--multirun", *SMOKE, "method=none", f"task={kind}", "task.corpus=pg19,proof_pile"])
    assert [config.varied for config in texts] == [[], []]  # so that the page's plain tables show both
    with pytest.raises(launch.UsageError, match=r"task\.documents=0"):  # its bound stands beside its field
        launch.checked([*SMOKE, "method=none", f"task={kind}", "task.documents=0"])


def judge_its_claim(rows: list[Record]) -> None:
    """The page's claim over these rows: its entry is one, and its check sees both methods."""
    ((subject, (entry,)),) = OmegaConf.to_container(OmegaConf.create(blocks("add_a_task.md", "yaml")[1])).items()
    claim = Claim(**{**entry, "subject": subject})
    check = getattr(registry.modules("claims")[subject], claim.check.removeprefix(f"{subject}."))
    found = {"none": (0.3, 0.25, 0.35), "pi": (0.1, 0.05, 0.15)}  # smoke guesses nothing right
    told = [
        replace(row, value=value, ci_low=low, ci_high=high)
        for row in rows
        if row.data["name"] == "pg19"
        for value, low, high in [found[row.method or ""]]
    ]
    (case,) = check(Evidence(told, claim.experiments))
    assert (case.effect.value, case.effect.low, case.effect.high) == pytest.approx((-0.2, -0.3, -0.1))
    assert case.verdict == "holds"
