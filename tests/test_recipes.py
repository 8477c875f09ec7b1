"""The recipes for a method and a task, followed to the letter: what docs/ prints is run, from outside the package."""

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence.records import Record, read
from position_interpolation.models import rope
from position_interpolation.report.pages import render
from position_interpolation.tasks import registry
from position_interpolation.tasks.registry import Entry

DOCS = Path(__file__).resolve().parents[1] / "docs"
SMOKE = ["model=smoke", "train=untuned", "data=embedded", "wandb=disabled", "compute.threads=1"]
CONFIG_NEEDS = """
from dataclasses import dataclass
from omegaconf import MISSING
from position_interpolation.settings.bounds import number
from position_interpolation.settings.schema import Config, Task
from position_interpolation.text import corpora
"""
GUESSES = """
# The mathematics that the page leaves to the reader.
import torch

def share(model, ids):
    tokens = torch.tensor([ids])
    with torch.inference_mode():
        guesses = model(tokens).logits[0, :-1].argmax(dim=-1)
    return float((guesses == tokens[0, 1:]).double().mean())
"""
MEASURE_NEEDS = """
from accuracy.config import AccuracyTask
from accuracy.guesses import share
from collections.abc import Iterator
from position_interpolation.evidence import intervals
from position_interpolation.tasks.measurement import Measured, Measurement, common, text
from position_interpolation.text import corpora
from position_interpolation.text.encoding import encode
from position_interpolation.tuning.extension import Prepared
"""
PAGE_NEEDS = """
from collections.abc import Iterator, Sequence
from position_interpolation.display.section import Section
from position_interpolation.display.tables import EXTENSION, Column, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import rate_text
"""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def carried_out(overrides: list[str], folder: Path) -> list[Record]:
    (config,) = launch.prepare([*SMOKE, *overrides, f"paths.results={folder}", f"paths.runs={folder}/runs"])
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
    space = dict(vars(rope))
    exec(function, space)
    (name,) = re.findall(r'"(\w+)": \w+\}', line)
    monkeypatch.setitem(rope.METHODS, name, space[name])
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
    config_block, measure_block, line, page_block = blocks("add_a_task.md", "python")
    folder = tmp_path / "accuracy"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "config.py").write_text(CONFIG_NEEDS + config_block)
    (folder / "guesses.py").write_text(GUESSES)
    (folder / "measure.py").write_text(MEASURE_NEEDS + measure_block)
    (folder / "page.py").write_text(PAGE_NEEDS + page_block)
    monkeypatch.syspath_prepend(tmp_path)
    config = importlib.import_module("accuracy.config")
    ((kind, entry),) = eval("{" + line + "}", {"Entry": Entry, "accuracy": config, "HERE": ""}).items()
    monkeypatch.setitem(registry.TASKS, kind, Entry(entry.settings, entry.check, "accuracy"))
    choose("task", kind, "add_a_task.md")
    rows = carried_out(["method=none", f"task={kind}", "task.documents=2"], tmp_path)
    assert [(row.task, row.metric, row.n_documents, row.eval_window) for row in rows] == [(kind, "accuracy", 2, 64)]
    assert 0 <= rows[0].value <= 1
    page = render(tmp_path / "single" / "smoke")[-1].read_text()
    assert "| smoke | 64 | none | 0 |" in page
    assert "Share of next tokens that the model guesses right." in page
    with pytest.raises(launch.UsageError, match=r"task\.documents=0"):  # its bound stands beside its field
        launch.prepare([*SMOKE, "method=none", f"task={kind}", "task.documents=0"])
