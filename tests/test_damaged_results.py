"""Results that are incomplete or damaged: what is there is shown, what is wrong is one line, the other pages go on."""

import json
import random
import runpy
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from position_interpolation.app import launch
from position_interpolation.comparisons.sweeps import tables
from position_interpolation.display.formats import to_latex, to_markdown
from position_interpolation.evidence.records import ROWS, Record, read, write
from position_interpolation.report import judge, pages
from position_interpolation.report.__main__ import main
from position_interpolation.report.sections import sections
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import HOME

RESULTS = HOME / "results"
FOLDERS = sorted(path.parent.relative_to(RESULTS).as_posix() for path in RESULTS.glob(f"*/*/{ROWS}"))
FIELDS = ("method", "factor", "window", "steps", "task", "eval_window", "metric", "at", "seed", "protocol")


def part(records: list[Record], chance: random.Random) -> list[Record]:
    """Some of an experiment's records, as a sweep that asked for less, or was stopped, would have left them."""
    for _ in range(2):
        key = chance.choice(FIELDS)
        values = sorted({str(getattr(record, key)) for record in records})
        chosen = chance.sample(values, chance.randint(1, len(values)))
        records = [record for record in records if str(getattr(record, key)) in chosen]
    return records


@pytest.mark.parametrize("folder", FOLDERS)
def test_whatever_part_of_a_grid_there_is_has_a_page(folder: str) -> None:
    chance, records = random.Random(folder), read(RESULTS / folder / ROWS)
    rows, rung = part(records, chance), folder.partition("/")[2]
    shown = sections(rows)
    for section in shown:
        for table in (section.table, *(table for _, table in section.more)):
            assert to_markdown(table)
            assert to_latex(table)
        for _, draw in section.drawings[:1]:
            draw().canvas.draw()
    assert pages.page(rows, shown, judge.on_page(rows, judge.judge({rung: rows}), rung))


def test_a_measurement_of_which_rows_are_missing_is_left_out() -> None:
    rows = [row for row in read(RESULTS / "rivals/tiny" / ROWS) if row.task == "rotation"]
    (method, *others) = dict.fromkeys(row.method for row in rows)
    scalings = [row for row in rows if row.metric == "attention_scaling"]
    left = [row for row in rows if row.method != method or row not in scalings]
    (section,) = sections(left)
    assert {row.method for row in section.rows} == set(others)
    assert not sections([row for row in rows if row not in scalings])


def test_rates_that_were_not_measured_at_the_own_window_are_compared_where_they_were() -> None:
    """Extended by 2 and read at 4 L: there is no cell at L' = 2 L to be coloured."""
    rows = [row for row in read(RESULTS / "sweep_learning_rate/tiny" / ROWS) if row.window != row.eval_window]
    (section, *_) = [section for section in sections(rows) if "tuning" not in section.stem]
    assert not section.drawings
    assert any("learning rate" in str(cell.value) for row in section.table.rows for cell in row)
    assert any(isinstance(cell.value, float) for row in section.table.rows for cell in row)


def test_an_extension_without_cells_is_left_out_of_a_heat_map() -> None:
    rows = read(RESULTS / "sweep_learning_rate/tiny" / ROWS)
    fewer = [row for row in rows if row.method == "pi" or row.eval_window != row.window]
    assert {family[0].method for family in tables.swept(rows)} == {"pi", "extrapolation"}
    assert {family[0].method for family in tables.swept(fewer)} == {"pi"}


# Damaged lines

DAMAGE: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "a window in words": ("its window is '1024', not int | None", lambda row: row | {"window": "1024"}),
    "a list for a text": ("its metric is .*, not str", lambda row: row | {"metric": ["perplexity"]}),
    "true for a number": ("its value is True, not float", lambda row: row | {"value": True}),
    "half a token": ("its n_tokens is 0.5, not int", lambda row: row | {"n_tokens": 0.5}),
    "a factor of 0": ("its factor is 0, not from 1", lambda row: row | {"factor": 0}),
    "a number without an end": ("its value is 1000", lambda row: row | {"value": 10**400}),
    "infinity": ("its value is inf", lambda row: row | {"value": float("inf")}),
    "a crossed interval": ("ci_low is above its ci_high", lambda row: row | {"ci_low": 9.0, "ci_high": 1.0}),
    "a perplexity of 0": ("perplexity is not above 0", lambda row: row | {"metric": "perplexity", "value": 0.0}),
    "no protocol": ("perplexity has no protocol", lambda row: row | {"metric": "perplexity", "protocol": None}),
    "a name with a folder": ("can name no file", lambda row: row | {"model": "../tiny"}),
    "half an extension": ("it has not all of method, factor", lambda row: row | {"steps": None}),
    "a loss of no document": ("of document None", lambda row: row | {"metric": "document_loss", "data": {}}),
    "a number for an id": ("no list of texts", lambda row: row | {"data": row["data"] | {"ids": [4300]}}),
    "a text without a name": ("name and source of its data", lambda row: row | {"data": {"source": "local"}}),
    "a window below one token": ("window 1 is shorter than its factor 2", lambda row: row | {"window": 1, "factor": 2}),
    "a list for a setting": ("its setting a is", lambda row: row | {"settings": {"a": [1, 2]}}),
    "no learning rate": ("its setting train.learning", lambda row: row | {"settings": {"train.learning_rate": None}}),
    "half of a letter": ("surrogates", lambda row: row | {"device": "\ud800"}),
    "a number": ("no JSON object", lambda row: 3),
}


@pytest.mark.parametrize(("said", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_line_is_named_with_what_is_wrong(
    said: str, damage: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    lines = (RESULTS / "quickstart/tiny" / ROWS).read_text().splitlines()
    damaged = json.dumps(damage(json.loads(lines[1])))
    (tmp_path / ROWS).write_text("\n".join([lines[0], damaged, *lines[2:]]) + "\n")
    with pytest.raises(UsageError, match=rf"{ROWS}:2 is no record \(.*{said}.*\): remove or repair") as refused:
        read(tmp_path / ROWS)
    assert "\n" not in str(refused.value)


def test_a_nest_that_is_too_deep_is_no_record(tmp_path: Path) -> None:
    (tmp_path / ROWS).write_text("[" * 100_000 + "]" * 100_000 + "\n")
    with pytest.raises(UsageError, match="nested too deeply"):
        read(tmp_path / ROWS)


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\r"])
def test_what_unicode_calls_the_end_of_a_line_may_stand_in_a_record(end: str, tmp_path: Path) -> None:
    """Other programs write it as it is; our own writer escapes it."""
    (first, *_) = read(RESULTS / "quickstart/tiny" / ROWS)
    record = replace(first, device=f"cpu{end}2 threads")
    write(tmp_path / ROWS, [record])
    text = (tmp_path / ROWS).read_text()
    if end > " ":  # JSON has the others escaped
        text = text.replace(json.dumps(end)[1:-1], end)
    (tmp_path / ROWS).write_bytes(text.encode())
    assert read(tmp_path / ROWS) == [record]


# Damaged folders


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three experiments on tiny, of which one is damaged."""
    for name in ("theory", "positions", "heads"):
        (tmp_path / name / "tiny").mkdir(parents=True)
        shutil.copy(RESULTS / name / "tiny" / ROWS, tmp_path / name / "tiny" / ROWS)
    with (tmp_path / "heads" / "tiny" / ROWS).open("a") as rows:
        rows.write('{"half": ')
    return tmp_path


def test_one_damaged_folder_is_named_and_the_others_are_rendered(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"1 of 3 folders were not rendered: .*heads/tiny/rows.jsonl:62 is no record"):
        main(results)
    assert capsys.readouterr().out.count("README.md") == 3  # two pages and the overview
    overview = (results / "README.md").read_text()
    assert "positions on tiny" in overview
    assert "theory on tiny" in overview
    assert not (results / "heads" / "tiny" / "README.md").exists()


def test_a_damaged_folder_does_not_keep_a_run_from_its_page(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages.render(results / "positions" / "tiny")
    pages.render_index(results)
    assert "left out of the pages: " in capsys.readouterr().err
    assert "## What holds" in (results / "positions" / "tiny" / "README.md").read_text()


def test_a_mistake_of_ours_in_one_page_keeps_no_other_from_being_made(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(records: list[Record]) -> Any:
        return sections(records) if records[0].experiment != "theory" else max([])

    monkeypatch.setattr(pages, "sections", broken)
    with pytest.raises(UsageError, match=r"2 of 3 folders .*theory/tiny cannot be rendered \(ValueError: max"):
        main(results)
    assert "positions on tiny" in (results / "README.md").read_text()


def test_help_says_what_is_to_be_given(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "--help"])
    monkeypatch.delitem(sys.modules, "position_interpolation.report.__main__")
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("position_interpolation.report", run_name="__main__")
    assert "usage: python -m position_interpolation.report [-h] [results]" in capsys.readouterr().out


def test_a_run_whose_own_page_cannot_be_made_says_so_in_one_line(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch.register()
    asked = ["task=report", "model=tiny", f"paths.results={results}", "wandb=disabled"]
    configs = [launch.typed(launch.composed([*asked, f"experiment_name={name}"])) for name in ("theory", "positions")]
    monkeypatch.setattr(pages, "save", lambda folder: max([]) if folder.parent.name == "theory" else [])
    with pytest.raises(UsageError, match=r"^[^\n]*theory/tiny cannot be rendered \(ValueError: max[^\n]*: report it"):
        launch.finish(configs)
    assert (results / "positions" / "tiny" / "README.md").exists()
