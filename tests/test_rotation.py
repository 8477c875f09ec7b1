"""What a method does to each frequency: known values in, counts, one line for what does the same."""

import math
from pathlib import Path

import numpy as np
import pytest

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence.records import Record, read
from position_interpolation.models import methods
from position_interpolation.models.rope import Geometry
from position_interpolation.report.pages import render
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Method
from position_interpolation.tasks.rotation import measure, page

BASE = Geometry(theta=1357.0, head_dimension=64, window=256)
SWEPT = ("none", "pi", "yarn", "by_parts", "p_rope")


def series(method: Method, metric: str) -> list[float]:
    found = measure.numbers(BASE, methods.rotation(method, BASE, 4.0))
    return [one.estimate.value for one in found if one.metric == metric]


@pytest.mark.parametrize(
    ("method", "ratios", "scaling"),
    [
        (Method("none"), [1.0] * 32, 1.0),
        (Method("pi"), [0.25] * 32, 1.0),
        (Method("temperature", "extrapolation", attention_slope=0.1), [1.0] * 32, 1 + 0.1 * math.log(4)),
        (Method("drope", "p_rope", {"kept": 0.0}), [0.0] * 32, 1.0),
        (Method("bands", options={"first": 4, "last": 7}), [1.0] * 4 + [0.25] * 4 + [1.0] * 24, 1.0),
    ],
)
def test_a_ratio_is_new_over_old_and_finite_where_a_frequency_stands_still(
    method: Method, ratios: list[float], scaling: float
) -> None:
    assert series(method, measure.RATIO) == pytest.approx(ratios)
    assert series(method, measure.SCALING) == [pytest.approx(scaling)]


def test_a_wavelength_is_the_windows_of_one_turn() -> None:
    turns = np.array(series(Method("pi"), measure.WAVELENGTH)) * 256 * BASE.frequencies  # radians
    assert turns == pytest.approx(np.full(32, 2 * math.pi))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run of each method on a model of random weights."""
    place = tmp_path_factory.mktemp("rotation")
    shared = ["model=smoke", "train=untuned", "task=rotation", "context=x4", "wandb=disabled", "compute.threads=1"]
    launch.register()
    for method in SWEPT:
        asked = [*shared, f"method={method}", f"paths.results={place}", f"paths.runs={place}/runs"]
        run(launch.typed(launch.composed(asked)))
    return place / "single" / "smoke"


@pytest.fixture
def rows(folder: Path) -> list[Record]:
    return read(folder / "rows.jsonl")


def test_every_frequency_is_a_record_in_float64(rows: list[Record]) -> None:
    assert {(row.dtype, row.n_documents) for row in rows} == {("float64", None)}
    assert len(rows) == len(SWEPT) * (2 * 8 + 1)


def test_the_table_counts_every_frequency_once(rows: list[Record]) -> None:
    table = page.rotation_table(rows)
    counts = {str(row[2].value): [cell.value for cell in row[4:]] for row in table.rows}
    assert counts["none"] == [8, 0, 0, 0, 0]
    assert counts["PI"] == [0, 0, 8, 0, 0]
    assert counts["p-RoPE"] == [6, 0, 0, 0, 2]
    assert counts["YaRN"] == counts["by parts"]
    assert {sum(map(float, row)) for row in counts.values()} == {8}


def test_methods_that_do_the_same_share_a_line_and_the_legend_says_how_they_scale(rows: list[Record]) -> None:
    (axes,) = page.rotation_figure(rows).axes
    drawn = {str(line.get_label()): line for line in axes.lines}
    assert {"none", "PI", "by parts, YaRN (1.139)", "p-RoPE"} <= set(drawn)
    assert [*drawn["PI"].get_ydata()] == pytest.approx([0.25] * 8)


def test_a_base_of_one_frequency_has_a_figure_too(rows: list[Record]) -> None:
    """Its axis has no power of two between the shortest and the longest wavelength."""
    alone = [row for row in rows if row.at in (None, 0)]
    (axes,) = page.rotation_figure(alone).axes
    assert {len(line.get_xdata()) for line in axes.lines if not str(line.get_label()).startswith("_")} == {1}


def test_the_page_has_a_figure_a_factor(folder: Path) -> None:
    written = {path.name for path in render(folder)}
    assert {"rotation.csv", "rotation_x4.png", "README.md"} <= written


def test_tuning_is_refused_for_it_changes_no_frequency() -> None:
    with pytest.raises(UsageError, match="add train=untuned"):
        launch.checked(["model=smoke", "task=rotation", "method=pi", "data=embedded"])
