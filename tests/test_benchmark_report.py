"""Table 5 shown: numbers from records, the paper's beside them, and verdicts that claim no more than was measured."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_report import outcome

from position_interpolation.display import formats
from position_interpolation.evidence import records
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.judging import Verdict
from position_interpolation.evidence.records import Record
from position_interpolation.report.pages import render
from position_interpolation.tasks.benchmarks.page import (
    accuracy_table,
    by_sample,
    changes_figure,
    changes_table,
    printed_change,
)
from position_interpolation.tasks.benchmarks.page import printed_accuracy as beside
from position_interpolation.tasks.benchmarks.questions import SETS

L = 256
BASE = Extension("tiny", "none", 1.0, L, 0)
PI4, PI8, PI16 = (Extension("tiny", "pi", float(factor), factor * L, 80) for factor in (4, 8, 16))
UNTUNED = Extension("tiny", "pi", 4.0, 4 * L, 0)
PAPERS = {  # LLaMA 7B in Table 5
    BASE: (76.1, 78.9, 55.7, 42.2, 69.6),
    PI4: (73.2, 78.2, 53.8, 41.7, 69.0),
    PI8: (69.8, 77.6, 53.3, 40.9, 67.8),
    PI16: (64.7, 77.2, 50.1, 39.6, 66.9),
}
GUESSING = {BASE: (60.0, 50.2, 25.2, 25.0, 50.0), PI4: (50.0, 40.0, 20.0, 20.0, 40.0)}
COUNT = 3000


def rows(accuracies: Mapping[Extension, tuple[float, ...]], half: float = 0.004, sha: str = "a") -> list[Record]:
    """Records as a run leaves them; `half` is half an interval of the paired change."""
    found = []
    for extension, own in accuracies.items():
        for place, (name, percent) in enumerate(zip(SETS, own, strict=True)):
            numbers = {"accuracy": percent / 100, "accuracy_normalised": percent / 100 + 0.01, "margin": 0.05}
            if extension.method != "none" and BASE in accuracies:
                change = (percent - accuracies[BASE][place]) / 100
                numbers |= {"accuracy_change": change, "margin_change": change / 10}
            found += [record(extension, name, metric, value, half, sha) for metric, value in numbers.items()]
            found.append(replace(found[-1], metric="truncated", value=0.5, ci_low=None, ci_high=None))
    return found


def record(extension: Extension, name: str, metric: str, value: float, half: float, sha: str) -> Record:
    shape: dict[str, Any] = {"method": extension.method, "factor": extension.factor, "window": extension.window}
    return Record(
        experiment="table5_benchmarks", rung="tiny", model=extension.model, weights_sha256="0" * 64, **shape,
        steps=extension.steps, task=name, eval_window=L, stride=None, protocol=None, metric=metric, value=value,
        ci_low=value - half, ci_high=value + half, n_documents=COUNT, n_tokens=9 * COUNT,
        data={"name": name, "source": "local", "sha256": f"{sha}{name}", "ids": None}, seed=0,
        signature=f"{extension} {name} {sha}", commit="abcdef", versions={"torch": "2.13"}, device="cpu",
        dtype="float32", seconds=1.0, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def verdicts(found: list[Record], claim: str) -> list[Verdict]:
    """Verdicts of the cases, set by set."""
    return [case.verdict for case in outcome(found, claim).measured]


COST, GROWTH, KNOWS = "benchmarks_lose_at_most_2", "benchmarks_loss_grows", "benchmarks_base_knows"


def test_the_papers_numbers_are_found_by_the_multiple_of_the_window() -> None:
    for extension, printed in PAPERS.items():
        found = [beside(extension, name) for name in SETS]
        assert [record.value for record in found if record] == pytest.approx([x / 100 for x in printed])
    assert beside(UNTUNED, "boolq") is None
    assert beside(Extension("tiny", "extrapolation", 4.0, 4 * L, 80), "boolq") is None
    own = beside(Extension("llama_33b", "pi", 4.0, 8192, 1000), "boolq")
    assert own is not None
    assert own.value == pytest.approx(0.802)
    assert beside(Extension("llama_33b", "pi", 8.0, 16384, 1000), "boolq") is None
    assert printed_change(PI4, "boolq") == pytest.approx(-0.029)


def test_table_5_has_its_layout_and_the_papers_numbers_beside_ours() -> None:
    table = accuracy_table(rows(PAPERS))
    assert table.header[4:] == (
        "BoolQ", "PIQA", "RACE-M", "RACE-H", "WinoGrande", "paper BoolQ", "paper PIQA", "paper RACE-M", "paper RACE-H",
        "paper WinoGrande",
    )  # fmt: skip
    assert [row[1].value for row in table.rows] == [L, 4 * L, 8 * L, 16 * L]
    text = formats.to_markdown(table)
    assert "76.1 [75.7, 76.5]" in text
    assert "Chance: 50, 50, 25, 25, 50 %; always answering yes gets 62 % of BoolQ" in table.caption
    for row in table.rows:
        assert [cell.value for cell in row[4:9]] == pytest.approx([cell.value for cell in row[9:]])
    folded = accuracy_table(rows(PAPERS), "accuracy_normalised")
    assert len(folded.columns) == 9
    assert "per byte" in folded.caption


def test_changes_stand_beside_the_papers_own() -> None:
    table = changes_table(rows(PAPERS))
    assert len(table.rows) == 15
    assert [cell.value for cell in table.rows[0][:3]] == ["PI x4, tuned 80 steps", "BoolQ", COUNT]
    assert "-2.9 [-3.3, -2.5] | -0.0029 [-0.0069, +0.0011] | 50.0 % | -2.9 |" in formats.to_markdown(table)


def test_the_papers_own_numbers_break_its_claim_on_boolq_alone() -> None:
    found = rows(PAPERS, half=0.0005)
    assert verdicts(found, COST) == ["does not hold", "holds", "holds", "holds", "holds"]
    assert verdicts(found, GROWTH) == ["holds"] * 10  # from 4 L to 8 L, and to 16 L
    wide = rows(PAPERS, half=0.03)
    assert verdicts(wide, COST) == ["within noise"] * 5
    assert verdicts(wide, GROWTH) == ["within noise"] * 10


def test_a_base_that_guesses_has_nothing_to_lose() -> None:
    found = rows(GUESSING)
    assert outcome(found, COST).verdict == "not measured"
    assert set(verdicts(found, KNOWS)) == {"does not hold", "no difference"}
    boolq, *_, high, _ = outcome(found, KNOWS).measured
    assert boolq.verdict == "does not hold", "60 % of BoolQ is less than always answering yes"
    assert high.effect is not None
    assert high.effect.detail.endswith("25.0 against 25.0 of guessing")


def test_no_interval_and_no_spread_conclude_nothing() -> None:
    same = rows({BASE: PAPERS[BASE], PI4: PAPERS[BASE]}, half=0.0)
    assert verdicts(same, COST) == ["within noise"] * 5
    none = [replace(row, ci_low=None, ci_high=None) for row in rows(PAPERS)]
    assert verdicts(none, COST) == ["within noise"] * 5


def test_absent_records_are_not_measured() -> None:
    for found in (rows({BASE: PAPERS[BASE]}), rows({BASE: PAPERS[BASE], UNTUNED: PAPERS[PI4]})):
        assert [outcome(found, claim).verdict for claim in (COST, GROWTH)] == ["not measured"] * 2


def test_samples_of_one_set_share_no_table() -> None:
    whole, sample = rows(PAPERS), rows(PAPERS, sha="b")
    tables = by_sample([*whole, *sample])
    assert [len(table) for table in tables] == [len(whole), len(sample)]
    assert {row.data["sha256"][0] for row in tables[1]} == {"b"}


def test_a_figure_shows_every_change_with_its_interval() -> None:
    accuracy, margin = changes_figure(rows(PAPERS)).axes
    bars = [line for line in accuracy.lines if line.get_marker() == "|"]
    assert len(bars) == 15
    assert len([line for line in margin.lines if line.get_marker() == "|"]) == 15
    assert list(bars[0].get_xdata()) == pytest.approx([-3.3, -2.5])


def test_the_page_has_tables_figure_and_what_differs(tmp_path: Path) -> None:
    folder = tmp_path / "table5_benchmarks" / "tiny"
    folder.mkdir(parents=True)
    records.write(folder / "rows.jsonl", rows(PAPERS))
    names = {path.name for path in render(folder)}
    assert {"benchmarks.csv", "changes.csv", "benchmark_changes.png", "README.md"} <= names
    page = (folder / "README.md").read_text()
    assert "3,000 questions" in page
    assert "Questions of boolq: 3000, for 3270." in page
    assert "**does not hold** · [Extended to four windows (8192), models lose up to 2 % on" in page


def test_the_base_alone_has_a_table_and_no_figure(tmp_path: Path) -> None:
    folder = tmp_path / "table5_benchmarks" / "tiny"
    folder.mkdir(parents=True)
    records.write(folder / "rows.jsonl", rows({BASE: PAPERS[BASE]}))
    assert {path.suffix for path in render(folder)} == {".csv", ".md", ".tex"}
