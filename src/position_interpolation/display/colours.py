"""The colours of extensions, in every figure."""

from collections.abc import Sequence

from matplotlib.colors import to_hex, to_rgb

from position_interpolation.evidence.extensions import ORDER, Extension

# From Okabe and Ito's palette, distinguishable with colour blindness.
BLACK, BLUE, VERMILION, GREY = "#000000", "#0072B2", "#D55E00", "#999999"
GREEN, PURPLE, ORANGE, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = dict(zip(ORDER, (BLACK, VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY), strict=False))


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
