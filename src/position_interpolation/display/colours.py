"""How extensions look in every figure. Colours tell them apart; markers and dashes do so in print without colour."""

from collections.abc import Sequence
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from position_interpolation.evidence.extensions import PAPERS, Extension

# Okabe and Ito's palette, which people with colour blindness can tell apart.
BLACK, BLUE, VERMILION, GREY = "#000000", "#0072B2", "#D55E00", "#999999"
GREEN, PURPLE, ORANGE, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
DARK = "0.35"  # grey of captions and of lines that mark a place
WINE = "#882255"  # Tol's
# Colour, dashes and marker. The colour says what is done to the frequencies; dots say that attention is scaled as well.
LOOKS: dict[str, tuple[str, str, Any]] = {
    "none": (BLACK, "-", "o"),
    "extrapolation": (VERMILION, "--", "s"),
    "pi": (BLUE, "-", "D"),
    "pi_scaled": (BLUE, ":", "d"),
    "ntk": (GREEN, "-.", "^"),
    "ntk_scaled": (GREEN, ":", "v"),
    "by_parts": (PURPLE, "-.", "<"),
    "yarn": (PURPLE, ":", ">"),
    "llama3": (ORANGE, "--", "p"),
    "llama3_scaled": (ORANGE, ":", "h"),
    "abf": (GREEN, "-", "P"),
    "longrope": (SKY, "-", "*"),
    "longrope_searched": (SKY, "--", (3, 1, 0)),
    "p_rope": (WINE, "--", (4, 1, 0)),
    "drope": (WINE, "-", (4, 1, 45)),
    "temperature": (BLACK, ":", (6, 1, 0)),
    "bands": (SKY, "-.", "H"),
}
OTHER = (GREY, "-", "*")  # the look of a method that is not listed
MARKERS = {1: "o", 2: "v", 4: "D", 8: "s", 16: "^"}  # by factor
DASHES: dict[int, Any] = {8: (0, (5, 1, 1, 1)), 16: (0, (1.5, 1))}  # by factor, of PI where it has several
HALVES = ("left", "bottom", "right", "top")  # filled half of the marker, by steps, where others are tuned longer


def colour(extension: Extension, among: Sequence[Extension]) -> str:
    """Colour of a method; of extensions that differ in steps alone, those tuned longer are darker."""
    plain = GREY if extension.control else LOOKS.get(extension.method, OTHER)[0]
    steps = sorted(other.steps for other in _alike(extension, among))
    missing = 0.4 * (1 - steps.index(extension.steps) / (len(steps) - 1)) if len(steps) > 1 else 0.0
    red, green, blue = (part + (1 - part) * missing for part in to_rgb(plain))
    return to_hex((red, green, blue))


def style(extension: Extension, among: Sequence[Extension]) -> dict[str, Any]:
    """Colour and dashes tell the method, the marker the factor; it is hollow if untuned, half full if tuned in part.

    Where rivals of one factor are shown, of which there are many, the marker tells the method. Where PI is shown at
    several factors, its dashes tell the factor as well.
    """
    shade = colour(extension, among)
    tuned = extension.steps > 0 or extension.method == "none"
    _, dashes, marker = LOOKS.get(extension.method, OTHER)
    factors = {item.factor for item in among if item.factor > 1}
    if len(factors) != 1 or all(item.method in PAPERS for item in among):
        marker = MARKERS.get(round(extension.factor), "*")
        if extension.method == "pi" and len({item.factor for item in among if item.method == "pi"}) > 1:
            dashes = DASHES.get(round(extension.factor), dashes)
    further = sorted({item.steps for item in _alike(extension, among) if item.steps})
    partly = extension.steps in further[:-1]
    return {
        "color": shade,
        "marker": "X" if extension.control else marker,
        "markerfacecolor": shade if tuned else "white",
        "markerfacecoloralt": "white",
        "fillstyle": HALVES[further.index(extension.steps) % len(HALVES)] if partly else "full",
        "linestyle": ":" if extension.control else dashes,
    }


def _alike(extension: Extension, among: Sequence[Extension]) -> list[Extension]:
    """The extensions that differ from one in steps alone, itself among them."""
    return [other for other in among if other.untuned == extension.untuned]
