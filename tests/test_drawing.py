"""How every figure looks: readable when printed small, and honest about few documents."""

import math

from matplotlib.text import Text
from test_report import BASE, CURVES, LOSSES, PI, SMOL, UNTUNED, perplexities, positions, record

from position_interpolation.display.colours import style
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
