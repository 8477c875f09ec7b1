"""How every figure looks: readable when printed small, and honest about few documents."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from test_report import BASE, CURVES, LOSSES, PI, SMOL, UNTUNED, perplexities, positions, record

from position_interpolation.display.colours import LOOKS, style
from position_interpolation.evidence.extensions import LABELS
from position_interpolation.settings.places import CONF
from position_interpolation.tasks.perplexity.figures import perplexity_figure
from position_interpolation.tasks.positions.figures import positions_figure


def test_text_has_six_points_where_a_figure_is_printed_eight_centimetres_wide() -> None:
    for figure in (positions_figure(positions(CURVES)), perplexity_figure(perplexities(LOSSES))):
        shrunk = 8 / (2.54 * figure.get_figwidth())
        assert min(text.get_fontsize() for text in figure.findobj(Text)) * shrunk >= 6


def test_few_documents_are_dots_and_not_a_bar() -> None:
    losses = [
        record(SMOL, "document_block_loss", math.log(value), at=0, task="positions", eval_window=6 * 2048)
        for value in (20, 22)
    ]
    (axes,) = positions_figure(positions(CURVES) + losses).axes
    assert not [line for line in axes.lines if line.get_marker() == "_"]
    (dots,) = [line for line in axes.lines if line.get_marker() == "." and len(line.get_xdata())]
    assert [round(value, 6) for value in dots.get_ydata()] == [20, 22]


def test_nothing_is_drawn_below_a_perplexity_of_one() -> None:
    (axes,) = positions_figure(positions({SMOL: (1.02, 1.5, 90.0)})).axes
    assert axes.get_ylim()[0] >= 1


def test_extensions_differ_in_print_without_colour() -> None:
    among = [BASE, UNTUNED, PI]
    looks = [style(extension, among) for extension in among]
    assert len({(look["marker"], look["linestyle"], look["markerfacecolor"] == "white") for look in looks}) == 3


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
