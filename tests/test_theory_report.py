"""Section 2 on the page: the audit by head dimension, Fig. 1, and real heads, each number from its record."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_report import outcome, verdict

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.display import formats
from position_interpolation.evidence import records
from position_interpolation.evidence.records import Record
from position_interpolation.report.pages import render
from position_interpolation.tasks.heads import scores
from position_interpolation.tasks.heads.page import heads_figure, heads_table, layers_table, spans_table
from position_interpolation.tasks.heads.scores import Geometry
from position_interpolation.tasks.theory import measure
from position_interpolation.tasks.theory.bounds import violating_coefficients
from position_interpolation.tasks.theory.figures import BLUE, GREEN, VERMILION, figure_1
from position_interpolation.tasks.theory.page import audit_table

L = 256


def record(task: str, metric: str, value: float, **given: Any) -> Record:
    usual: dict[str, Any] = dict.fromkeys(Record.__dataclass_fields__)
    usual |= {
        "experiment": task, "rung": "tiny", "model": "tiny", "task": task, "metric": metric, "value": value, "seed": 0,
        "data": {"name": task, "source": "generated", "sha256": None, "ids": None}, "signature": task,
        "versions": {"numpy": "2"}, "device": "cpu", "dtype": "float64", "seconds": 1.0, "created": "2026-01-01",
    }  # fmt: skip
    return Record(**{**usual, **given})


@pytest.fixture(scope="module")
def audited() -> list[Record]:
    return [
        record("theory", item.metric, item.estimate.value, at=item.at, eval_window=item.eval_window)
        for item in measure.audited()
    ]


def real(h: scores.Complexes, model: str = "tiny") -> list[Record]:
    """Records of heads with these h_j, (layers, heads, pairs, d/2), at L = 256 and base 1357."""
    geometry = Geometry(2 * h.shape[-1], 1357.0, L)
    numbers = scores.numbers(scores.measure(h, geometry), geometry, samples=50)
    extension = {"model": model, "method": "none", "factor": 1.0, "window": L, "steps": 0, "eval_window": L}
    return [
        record(
            "heads", metric, estimate.value, at=at, ci_low=estimate.low, ci_high=estimate.high, n_documents=4,
            n_tokens=4 * L, **extension,
        )
        for (metric, at), estimate in numbers.items()
    ]  # fmt: skip


def gaussian(pairs: int = 40) -> scores.Complexes:
    return np.random.default_rng(0).standard_normal((2, 2, pairs, 32, 2)) @ np.array([1, 1j])


HOLDS, FAILS = "holds", "does not hold"


# Fig. 1


def test_figure_1_colours_trained_unseen_and_half_way_indices() -> None:
    """At the end of L = 2048: integers below are trained, those from 2048 on unseen, PI's halves lie between."""
    close = figure_1().axes[1::2]
    dots: list[dict[float, str]] = []
    for axes in close:
        kinds = [line for line in axes.lines if "index" in line.get_label() or "indices" in line.get_label()]
        assert len({line.get_marker() for line in kinds}) == 3, "told apart without colour"
        dots.append({float(place): line.get_color() for line in kinds for place in line.get_xdata()})
    assert dots[0] == dict.fromkeys((2044.0, 2045.0, 2046.0, 2047.0), BLUE)
    assert dots[1] == dots[0] | dict.fromkeys((2048.0, 2049.0, 2050.0, 2051.0, 2052.0), VERMILION)
    assert dots[2] == dots[0] | dict.fromkeys((2043.5, 2044.5, 2045.5, 2046.5, 2047.5), GREEN)


# The audit


def test_the_table_shows_every_head_dimension_as_recorded(audited: list[Record]) -> None:
    rows = formats.to_markdown(audit_table(audited)).splitlines()
    assert "| 64 | 0.21715 | 0.28561 | 0.28183 | 0.6283 | 3901 | 7.3 % |" in rows
    assert "| 128 | 0.43429 | 0.49979 | 0.49388 | 1.1159 | 3643 | 0.0 % |" in rows
    assert [row.split("|")[1].strip() for row in rows[2:9]] == ["16", "32", "64", "80", "96", "128", "256"]
    assert "s < 32768 the smallest is 0.6292, at s = 22297" in rows[-1]


def test_what_the_audit_says(audited: list[Record]) -> None:
    assert verdict(audited, "eq_7_bounds_the_error") == FAILS
    assert verdict(audited, "fig_5_ratio_above_one_to_32768") == FAILS
    assert verdict(audited, "audit_corrected_bound") == HOLDS
    below = [case.name for case in outcome(audited, "audit_ratio_above_one").measured if case.verdict == FAILS]
    assert below == [f"head dimension {d}" for d in (16, 32, 64, 80, 96)]


def test_a_ratio_of_which_a_number_is_missing_says_nothing(audited: list[Record]) -> None:
    rows = [row for row in audited if row.metric != "printed_bound"]
    assert verdict(rows, "eq_7_bounds_the_error") == "not measured"


def test_records_of_before_the_audit_still_make_a_page(tmp_path: Path, audited: list[Record]) -> None:
    old = [record("theory", "ratio_at_zero", 16.25)]
    records.write(tmp_path / "old" / "rows.jsonl", old)
    records.write(tmp_path / "new" / "rows.jsonl", old + audited)
    render(tmp_path / "old")
    render(tmp_path / "new")
    assert "by head dimension" not in (tmp_path / "old" / "README.md").read_text()
    page = (tmp_path / "new" / "README.md").read_text()
    assert "figure_1.png" in page
    assert "## The bounds by head dimension" in page
    assert "audit 16" not in page  # the audit has a table of its own


# Real heads


def test_gaussian_heads_keep_the_printed_bound_and_a_violating_pair_breaks_it() -> None:
    bounds = ("heads_printed_bound", "heads_corrected_bound")
    assert [verdict(real(gaussian()), name) for name in bounds] == [HOLDS, HOLDS]
    h = gaussian()
    h[1, 0, 3] = violating_coefficients(32 * 2, left=100.0, base=1357.0)
    assert [verdict(real(h), name) for name in bounds] == [FAILS, HOLDS]


def test_scores_grow_only_where_the_next_window_is_larger() -> None:
    """One slow frequency whose cosine starts at its zero grows along the window; one at its peak falls."""
    slowest = 1357.0 ** (-62 / 64)
    for phase, expected in ((np.pi / 2 - 0.1, HOLDS), (0.0, FAILS)):
        h = np.zeros((2, 2, 10, 32), complex)
        h[..., -1] = np.exp(1j * phase) * (1 + 0.01 * np.random.default_rng(0).standard_normal((2, 2, 10)))
        h[..., 0] = 1e-3
        assert slowest * L < np.pi / 2  # not a quarter turn inside the window
        assert verdict(real(h), "heads_scores_grow") == expected


def test_tables_of_two_models_stand_side_by_side() -> None:
    rows = real(gaussian()) + real(gaussian(20), model="other")
    shown = {row.metric: row.value for row in rows if row.model == "other" and row.at is None}
    table = heads_table(rows)
    assert table.header == ("Number", "other, L = 256", "tiny, L = 256")
    numbers = {row[0].value: row[1].value for row in table.rows}
    assert numbers["pairs of a query and a key"] == 80
    assert numbers["interpolation error, largest"] == shown["error_largest"]
    assert len(spans_table(rows).rows) == 16
    assert [row[0].value for row in layers_table(rows).rows] == [0, 1]


def test_the_figure_draws_what_is_recorded() -> None:
    rows = real(gaussian())
    value = {(record.metric, record.at): record.value for record in rows}
    scores, errors, ratio = heads_figure(rows).axes
    medians = next(line for line in scores.lines if line.get_label() == "median")
    assert medians.get_xdata().tolist() == [32.0 + 64 * block for block in range(16)]
    assert medians.get_ydata()[0] == value["score_median", 0]
    bounds = [line.get_ydata()[0] for line in errors.lines if "eq. 7" in str(line.get_label())]
    assert bounds == [value["printed_bound", None]]
    assert ratio.lines[0].get_ydata().min() == pytest.approx(value["smallest_ratio", None])
    assert len(ratio.lines[0].get_ydata()) == 4 * L


def test_heads_without_all_numbers_conclude_nothing() -> None:
    some = [row for row in real(gaussian()) if row.metric != "error_largest"]
    assert verdict(some, "heads_printed_bound") == "not measured"


# The whole path on a model of random weights


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    launch.register()
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    asked = ["experiment=heads", "model=smoke", "wandb=disabled", "task.documents=2", "task.pairs=8", "task.window=32"]
    run(launch.typed(launch.composed([*asked, "task.bootstrap=20", "compute.dtype=float32", *places])))
    return folder / "results" / "heads" / "smoke"


def test_a_run_records_every_number_at_the_bases_window(measured: Path) -> None:
    rows = records.read(measured / "rows.jsonl")
    assert {row.eval_window for row in rows} == {64}  # L, though 32 positions of each document were read
    assert {(row.n_documents, row.n_tokens) for row in rows} == {(2, 64)}
    assert {len(row.data["ids"]) for row in rows} == {2}
    value = {row.metric: row.value for row in rows if row.at is None}
    assert value["pairs"] == 2 * 2 * 8
    assert value["error_largest"] <= value["corrected_bound"]
    for level in ("median", "p95"):
        assert [row.at for row in rows if row.metric == f"score_{level}"] == list(range(0, 256, 16))


def test_its_page_is_rendered_from_records_alone(measured: Path) -> None:
    names = {path.name for path in render(measured)}
    assert {"heads.csv", "heads_spans.csv", "heads_layers.csv", "heads_smoke.png", "README.md"} <= names
