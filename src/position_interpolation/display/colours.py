"""How extensions look in every figure: told apart by colour, and in print without colour by marker and dashes."""

from collections.abc import Sequence
from typing import Any

from matplotlib.colors import to_hex, to_rgb

from position_interpolation.evidence.extensions import ORDER, Extension

# From Okabe and Ito's palette, distinguishable with colour blindness.
BLACK, BLUE, VERMILION, GREY = "#000000", "#0072B2", "#D55E00", "#999999"
GREEN, PURPLE, ORANGE, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
DARK = "0.35"  # of captions and of lines that mark a place
COLOURS = dict(zip(ORDER, (BLACK, VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY), strict=False))
DASHES = dict(zip(ORDER, ("-", "--", "-", "-.", ":"), strict=False))
MARKERS = {1: "o", 2: "v", 4: "D", 8: "s", 16: "^"}  # by factor


def colour(extension: Extension, among: Sequence[Extension]) -> str:
    """Colour of a method; of extensions that differ in steps alone, the longer tuned is the darker."""
    plain = GREY if extension.control else COLOURS.get(extension.method, GREY)
    steps = sorted(
        other.steps
        for other in among
        if (other.base, other.method, other.factor) == (extension.base, extension.method, extension.factor)
    )
    missing = 0.5 * (1 - steps.index(extension.steps) / (len(steps) - 1)) if len(steps) > 1 else 0.0
    red, green, blue = (part + (1 - part) * missing for part in to_rgb(plain))
    return to_hex((red, green, blue))


def style(extension: Extension, among: Sequence[Extension]) -> dict[str, Any]:
    """Colour and dashes say the method, the marker the factor; the marker of what is untuned is hollow."""
    shade = colour(extension, among)
    tuned = extension.steps > 0 or extension.method == "none"
    return {
        "color": shade,
        "marker": "X" if extension.control else MARKERS.get(round(extension.factor), "*"),
        "markerfacecolor": shade if tuned else "white",
        "linestyle": DASHES.get(extension.method, "-"),
    }
