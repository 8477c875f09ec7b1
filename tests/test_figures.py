"""Every published figure, drawn from its records: readable 8 cm wide, in print without colour, honest about noise."""

from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from position_interpolation.evidence.records import read
from position_interpolation.report.parts import sections

RESULTS = Path(__file__).parents[1] / "results"
FOLDERS = sorted(path.parent for path in RESULTS.glob("*/*/rows.jsonl"))
BARS = ("_", "|")  # how the ends of an interval are marked


@cache
def figures(folder: Path) -> dict[str, Figure]:
    parts = sections(read(folder / "rows.jsonl"))
    return {stem: draw() for part in parts for stem, draw in part.drawings}


pytestmark = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(RESULTS).as_posix())


def lines(figure: Figure) -> list[tuple[Axes, Line2D]]:
    return [(axes, line) for axes in figure.axes for line in axes.lines]


def test_text_has_seven_points_in_a_column_of_eight_centimetres(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        assert figure.get_figwidth() == pytest.approx(8 / 2.54), stem
        smallest = min(text.get_fontsize() for text in figure.findobj(Text))
        assert smallest >= 7, stem


def test_no_legend_lies_in_a_panel(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        assert not [axes for axes in figure.axes if axes.get_legend() is not None], stem


def test_no_two_texts_of_a_panel_lie_over_each_other(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        figure.draw_without_rendering()
        for axes in figure.axes:
            shown = [text for text in axes.texts if text.get_text().strip() and text.get_visible()]
            boxes = [text.get_window_extent() for text in shown]
            for (one, box), (other, beside) in combinations(zip(shown, boxes, strict=True), 2):
                assert not box.overlaps(beside), (stem, one.get_text(), other.get_text())


def test_no_bar_spans_two_decades_and_none_reaches_below_a_perplexity_of_one(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        for axes, line in lines(figure):
            if line.get_marker() in BARS and len(line.get_ydata()) == 2 and axes.get_yscale() == "log":
                low, high = sorted(line.get_ydata())
                assert high < 100 * low, stem
        for axes in figure.axes:
            assert axes.get_ylabel() != "perplexity" or axes.get_ylim()[0] >= 1, stem


def test_lines_of_a_panel_differ_without_colour(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        for axes in figure.axes:
            named = {line.get_label(): in_print(line) for line in axes.lines if not line.get_label().startswith("_")}
            assert len(set(named.values())) == len(named), (stem, named)


def in_print(line: Line2D) -> tuple[object, ...]:
    """Dashes, marker, and how much of it is full."""
    hollow = str(line.get_markerfacecolor()) == "white"
    dashes = line._unscaled_dash_pattern
    return str(dashes), line.get_linestyle(), line.get_marker(), hollow, line.get_fillstyle()


def test_pages_dark_or_light_show_it_on_white(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        assert figure.get_facecolor() == (1, 1, 1, 1), stem
