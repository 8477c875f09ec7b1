"""How every figure looks: readable when printed small, and honest about few documents."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from test_report import BASE, LOSSES, PI, SMOL, SMOL_PI, UNTUNED, L, perplexities, positions

from position_interpolation.display import drawing, sideways
from position_interpolation.display.colours import LOOKS, style
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import LABELS, Extension
from position_interpolation.evidence.records import Record
from position_interpolation.report.sections import sections
from position_interpolation.settings.places import CONF
from position_interpolation.tasks.perplexity.figures import perplexity_figure
from position_interpolation.tasks.positions.page import positions_figure

BY_BLOCK = {
    SMOL: (20.0, 22.0, 18.0, 19.0, 25.0, 400.0),
    replace(SMOL_PI, steps=80): (22.0, 23.0, 20.0, 20.5, 26.0, 24.0),
}


def with_losses(curves: Mapping[Extension, Iterable[float]], documents: int) -> list[Record]:
    """Perplexity by block, and the losses of so many documents about it, whose level both sides share."""
    rows = positions(curves)
    levels = np.linspace(-0.5, 0.5, documents)
    losses = [
        replace(
            row, metric="document_block_loss", value=math.log(row.value) + level, n_documents=1,
            data={**row.data, "ids": [f"book {level}"]},
        )
        for row in rows
        for level in levels
    ]  # fmt: skip
    return [replace(row, n_documents=documents) for row in rows] + losses


def drawn(axes: Axes, label: str) -> Line2D:
    (line,) = (line for line in axes.lines if line.get_label() == label)
    return line


class TestRatios:
    def test_blocks_are_shown_over_the_base_in_the_same_block(self) -> None:
        _, inside, past = positions_figure(with_losses(BY_BLOCK, 6)).axes
        ratios = [ours / base for base, ours in zip(*BY_BLOCK.values(), strict=True)]
        own = [list(drawn(axes, "PI x2, tuned 80 steps").get_ydata()) for axes in (inside, past)]
        assert own == [pytest.approx(ratios[:4]), pytest.approx(ratios[4:])]

    def test_what_makes_a_document_hard_is_not_in_the_bars(self) -> None:
        _, inside, _ = positions_figure(with_losses(BY_BLOCK, 6)).axes
        bars = [line.get_ydata() for line in inside.lines if line.get_marker() == "_"]
        assert len(bars) == 4
        assert all(high / low < 1.05 for low, high in bars), "documents differ by a factor of e"

    def test_windows_are_shown_over_the_base_at_l_and_so_are_the_papers(self) -> None:
        rows = perplexities(LOSSES)
        shown = [row for row in rows if (row.metric, row.protocol) == ("perplexity", "token")]
        value = {(row.method, row.steps, row.eval_window): row.value for row in shown}
        every, tuned, paper = perplexity_figure(rows).axes
        for axes in (every, tuned):
            expected = [value["pi", 100, window] / value["none", 0, L] for window in (L, 2 * L, 4 * L)]
            assert list(drawn(axes, "PI x4, tuned 100 steps").get_ydata()) == pytest.approx(expected)
        assert drawn(every, "none (L = 256)")
        assert not [line for line in tuned.lines if line.get_label() in ("none (L = 256)", "PI x4, untuned")]
        printed = [number / 7.20 for number in (7.13, 6.96, 6.95)]
        assert list(drawn(paper, "PI x4, tuned 100 steps").get_ydata()) == pytest.approx(printed)

    def test_without_a_base_perplexity_itself_is_drawn(self) -> None:
        (axes,) = perplexity_figure(perplexities({PI: LOSSES[PI]})).axes
        assert axes.get_ylabel() == "perplexity"

    def test_a_single_number_needs_no_picture(self) -> None:
        (section,) = sections(perplexities({BASE: LOSSES[BASE][:1]}))
        assert not section.drawings

    @pytest.mark.parametrize("ends", [(0.94, 1.06), (0.4, 4.3), (0.02, 2.5), (0.9, 30.0)])
    def test_ticks_stand_at_1_and_at_others_that_have_room(self, ends: tuple[float, float]) -> None:
        ticks = drawing.ratio_ticks(*ends)
        assert 1 in ticks
        assert 3 <= len(ticks) <= 7
        assert min(math.log(high / low) for low, high in pairwise(ticks)) >= math.log(ends[1] / ends[0]) / 6


def test_few_documents_are_dots_and_not_a_bar() -> None:
    _, inside, _ = positions_figure(with_losses(BY_BLOCK, 2)).axes
    assert not [line for line in inside.lines if line.get_marker() == "_"]
    dots = [line for line in inside.lines if line.get_marker() == "."]
    assert [len(line.get_xdata()) for line in dots] == [2] * 4


class TestSideways:
    PLACES = (100, 200)

    def drawn(self, *values: float) -> list[float]:
        """How many points each line is moved, that has this value, with an interval of 1 to either side."""
        figure, (axes,) = drawing.panels(2.0)
        called = {replace(PI, steps=steps): f"after {steps}" for steps, _ in enumerate(values)}
        for extension, value in zip(called, values, strict=True):
            point = Effect(value, value - 1, value + 1, 8)
            drawing.line(axes, dict.fromkeys(self.PLACES, point), extension, called)
        axes.set_ylim(0, 100)
        drawing.finish(figure, "8 documents")
        own = [line for line in axes.lines if line.get_label() in called.values()]
        self.said = " ".join(figure.get_suptitle().split())
        assert all(list(line.get_xdata()) == list(self.PLACES) for line in own), "numbers stay what they are"
        moved = [line.get_transform().transform((100, 50))[0] - axes.transData.transform((100, 50))[0] for line in own]
        return [float(shift) * 72 / figure.dpi for shift in moved]

    def test_bars_over_each_other_are_moved_apart_about_their_place(self) -> None:
        left, middle, right = self.drawn(50, 51, 90)
        assert middle == pytest.approx(0)
        assert right == -left == pytest.approx(sideways.STEP)
        assert self.said.endswith("marks that would hide each other stand side by side")

    def test_bars_beside_each_other_stay_at_their_place(self) -> None:
        assert self.drawn(20, 50, 90) == [0, 0, 0]
        assert self.said == "8 documents"

    def test_no_line_leaves_the_panel(self) -> None:
        shifts = self.drawn(*[50] * drawing.MOST)
        assert shifts == sorted(shifts)
        assert max(shifts) < 0.05 * 72 * drawing.WIDTH, "the margin of an axis"


def test_a_caption_has_lines_of_about_the_same_length() -> None:
    figure, _ = drawing.panels(1.0)
    drawing.finish(figure, " ".join(["word"] * 13))  # twelve would fit the first line
    first, second = figure.get_suptitle().split("\n")
    assert len(first) - len(second) <= len("word ")


def test_the_only_document_is_its_own_point() -> None:
    _, inside, _ = positions_figure(with_losses(BY_BLOCK, 1)).axes
    assert not [line for line in inside.lines if line.get_marker() == "." and len(line.get_xdata())]


def test_more_methods_than_lines_can_be_told_apart_are_rows() -> None:
    many = {replace(UNTUNED, method=method): (3.3, 3.2, 3.4) for method in [*LABELS][2 : drawing.MOST + 3]}
    figure = perplexity_figure(perplexities({BASE: LOSSES[BASE], PI: LOSSES[PI], **many}))
    untuned, tuned = figure.axes
    assert [label.get_text() for label in untuned.get_yticklabels()][:2] == ["none (L = 256)", "PI x4"]
    assert len(untuned.get_yticks()) == len(many) + 1
    assert [label.get_text() for label in tuned.get_yticklabels()] == ["PI x4"]
    assert tuned.get_title(loc="left") + tuned.get_title() == "tuned 100 steps"
    assert set(untuned.get_legend_handles_labels()[1]) >= {"in windows of 256", "1: the base at L"}


def test_nothing_is_drawn_below_a_perplexity_of_one() -> None:
    axes, *_ = positions_figure(positions({SMOL: (1.02, 1.5, 90.0)})).axes
    assert axes.get_ylim()[0] >= 1


def test_extensions_differ_in_print_without_colour() -> None:
    among = [BASE, UNTUNED, PI]
    assert len({in_print(style(extension, among)) for extension in among}) == 3


def in_print(look: dict[str, Any]) -> tuple[object, ...]:
    """What of a look does not need colour."""
    return look["marker"], look["linestyle"], look["markerfacecolor"] == "white", look["fillstyle"]


def test_factors_differ_in_print_by_marker_and_by_dashes() -> None:
    far = [replace(PI, factor=float(factor), window=factor * L) for factor in (4, 8, 16)]
    looks = [style(extension, [BASE, *far]) for extension in far]
    assert len({look["marker"] for look in looks}) == len({look["linestyle"] for look in looks}) == 3


def test_steps_differ_in_print_by_how_full_a_marker_is() -> None:
    among = [replace(PI, steps=steps) for steps in (0, 20, 40, 80)]
    assert len({in_print(style(extension, among)) for extension in among}) == 4


def test_every_method_has_a_name_and_a_look_of_its_own_with_colour_and_without() -> None:
    assert set(LOOKS) == set(LABELS) <= {path.stem for path in CONF.glob("method/*.yaml")}  # own methods may be there
    assert len({(shade, dashes) for shade, dashes, _ in LOOKS.values()}) == len(LOOKS)
    assert len({marker for _, _, marker in LOOKS.values()}) == len(LOOKS)


def test_markers_say_the_method_of_rivals_and_the_factor_of_the_papers() -> None:
    yarn, far = replace(UNTUNED, method="yarn"), replace(UNTUNED, factor=8.0, window=8 * 256)
    assert style(UNTUNED, [BASE, UNTUNED, yarn])["marker"] != style(yarn, [BASE, UNTUNED, yarn])["marker"]
    assert style(UNTUNED, [UNTUNED, far])["marker"] != style(far, [UNTUNED, far])["marker"]


# How colours look without one kind of cone, in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lightness_and_hue(colour: str, sight: str) -> np.ndarray:
    """CIE L*a*b* of a colour, as seen; a difference of 2 is just visible."""
    parts = np.array(to_rgb(colour))
    linear = np.clip(SIGHT[sight] @ np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4), 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(to_xyz @ linear / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_no_two_colours_of_methods_look_alike(sight: str) -> None:
    colours = sorted({shade for shade, *_ in LOOKS.values()})
    seen = {colour: lightness_and_hue(colour, sight) for colour in colours}
    assert min(np.linalg.norm(seen[one] - seen[other]) for one, other in combinations(colours, 2)) > 15
