"""Every published figure, drawn from its records: readable 8 cm wide, in print without colour, honest about noise."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from position_interpolation.display import drawing
from position_interpolation.evidence.records import read
from position_interpolation.report.sections import sections

RESULTS = Path(__file__).parents[1] / "results"
FOLDERS = sorted(path.parent for path in RESULTS.glob("*/*/rows.jsonl"))
BARS = ("_", "|")  # how the ends of an interval are marked


@cache
def figures(folder: Path) -> dict[str, Figure]:
    """Every figure of a folder by the name of its file, laid out."""
    parts = sections(read(folder / "rows.jsonl"))
    found = {stem: draw() for part in parts for stem, draw in part.drawings}
    for figure in found.values():
        figure.draw_without_rendering()
    return found


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


def texts(figure: Figure) -> dict[Text, Bbox]:
    """Every text that is seen, with the place that it takes."""
    hidden = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return {text: text.get_window_extent() for text in shown if text not in hidden}


def test_no_two_texts_lie_over_each_other_and_none_is_cut_off(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        found = texts(figure)
        for (one, box), (other, beside) in combinations(found.items(), 2):
            assert not box.overlaps(beside), (stem, one.get_text(), other.get_text())
        width, height = figure.bbox.size
        for text, box in found.items():
            assert min(box.min) >= 0, (stem, text.get_text())
            assert box.x1 <= width, (stem, text.get_text())
            assert box.y1 <= height, (stem, text.get_text())


def test_no_bar_lies_over_the_bar_of_another_line(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        for axes in figure.axes:
            for (name, one), (other, beside) in combinations(bars(axes), 2):
                apart = abs(one.x0 - beside.x0) * 72 / figure.dpi >= 1 or one.y1 < beside.y0 or beside.y1 < one.y0
                assert name == other or apart, (stem, name, other)


def bars(axes: Axes) -> list[tuple[str, Bbox]]:
    """The upright bars of every line, with its name."""
    found = [line for line in axes.lines if line.get_gid() and line.get_marker() == "_"]
    return [(str(line.get_gid()), Bbox(line.get_transform().transform(line.get_xydata()))) for line in found]


def test_no_panel_has_more_lines_than_can_be_told_apart(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        for axes in figure.axes:
            assert len({line.get_gid() for line in axes.lines if line.get_gid()}) <= drawing.MOST, stem


def test_numbers_on_an_axis_have_a_name(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        boxes = {axes: axes.get_window_extent() for axes in figure.axes}
        for axes, box in boxes.items():
            below = [one for one, other in boxes.items() if other.y1 < box.y0 and meet(box.intervalx, other.intervalx)]
            left = [one for one, other in boxes.items() if other.x1 < box.x0 and meet(box.intervaly, other.intervaly)]
            across, upwards = map(numbers, (axes.get_xticklabels(), axes.get_yticklabels()))
            assert not across or any(one.get_xlabel() for one in (axes, *below)), stem
            assert not upwards or figure.get_supylabel() or any(one.get_ylabel() for one in (axes, *left)), stem


def meet(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def numbers(labels: Sequence[Text]) -> bool:
    return any(label.get_text()[:1] in "0123456789\N{MINUS SIGN}" for label in labels if label.get_text())


def test_what_stands_beside_all_panels_is_beside_their_middle(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        for text, box in texts(figure).items():
            if text.get_text() == figure.get_supylabel():
                ends = [end for axes in figure.axes for end in axes.get_window_extent().intervaly]
                middle = (min(ends) + max(ends)) / 2
                assert abs((box.y0 + box.y1) / 2 - middle) < 0.06 * figure.bbox.height, stem


COUNTED = re.compile(r"\d (scored )?(tokens?|documents?|trials?|pairs|reports?|questions)\b")


def test_a_figure_says_on_how_much_it_rests(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        said = " ".join(text.get_text().replace("\n", " ") for text in texts(figure))
        computed = stem.startswith(("figure_", "rotation"))
        assert computed or COUNTED.search(said), (stem, said)


def test_a_caption_names_what_is_drawn(folder: Path) -> None:
    for stem, figure in figures(folder).items():
        caption = figure.get_suptitle().replace("\n", " ")
        drawn = [line for _, line in lines(figure)]
        elsewhere = " ".join(text.get_text() for text in texts(figure) if text.get_text() != figure.get_suptitle())
        seen = {
            "small dots": any(line.get_marker() == "." and line.get_markersize() == 3 for line in drawn),
            "bars: 95": any(len(line.get_xydata()) == 2 for line in drawn),
            "dotted": any(axes.collections for axes in figure.axes),
            "of what is tuned": "steps" in elsewhere,
            "hollow": len({str(line.get_markerfacecolor()) == "white" for line in drawn}) == 2,
        }
        assert not [words for words, there in seen.items() if words in caption and not there], (stem, caption)


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
