"""How extensions and numbers are called, ordered and coloured, in every table, figure and sentence."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.colors import to_hex, to_rgb

from position_interpolation import rope
from position_interpolation.records import Record

# From Okabe and Ito's palette, distinguishable with colour blindness.
BLACK, BLUE, VERMILION, GREY = "#000000", "#0072B2", "#D55E00", "#999999"
GREEN, PURPLE, ORANGE, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
ORDER = tuple(rope.METHODS)  # the paper's order of rows; a new method comes last and takes the next colour
COLOURS = dict(zip(ORDER, (BLACK, VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY), strict=False))
METHODS = {"pi": "PI"}  # those that readers know by another name
# Tables print a perplexity above this as the paper does; the csv keeps the number.
UNREADABLE = 1000.0
BEYOND = "> 10^3"


@dataclass(frozen=True)
class Extension:
    """What was done to which base: one row of a table, one line of a figure."""

    model: str
    method: str
    factor: float  # s = L' / L
    window: int  # L', tokens
    steps: int

    @property
    def base_window(self) -> int:
        """L in tokens."""
        return round(self.window / self.factor)

    @property
    def control(self) -> bool:
        """Whether this is the base trained further at L: what the text alone changes, not the window."""
        return self.method != "pi" and self.factor == 1 and self.steps > 0

    @property
    def label(self) -> str:
        """The extension's name for readers, without its model."""
        if self.control:
            return f"base trained at L, {self.steps} steps"
        if self.method == "none":
            return f"none (L = {self.window})"
        tuned = f"tuned {self.steps} steps" if self.steps else "untuned"
        return f"{METHODS.get(self.method, self.method)} x{self.factor:g}, {tuned}"

    @property
    def rank(self) -> tuple[str, bool, int, float, int]:
        """Key of the paper's order: none and its controls, extrapolation, PI by factor and steps."""
        order = ORDER.index(self.method) if self.method in ORDER else len(ORDER)
        return (self.model, not (self.control or self.method == "none"), order, self.factor, self.steps)


def method_label(extension: Extension) -> str:
    """Method and factor without the steps: what is called so at every step count."""
    if extension.control:
        return "base trained at L"
    if extension.method == "none":
        return f"none (L = {extension.window})"
    return f"{METHODS.get(extension.method, extension.method)} x{extension.factor:g}"


def extension_of(record: Record) -> Extension | None:
    """The extension a record was measured on; None for a record without a model (theory)."""
    if record.method is None or record.factor is None or record.window is None or record.steps is None:
        return None
    return Extension(record.model, record.method, record.factor, record.window, record.steps)


def ordered(records: Iterable[Record]) -> list[Extension]:
    """The extensions of some records, in the paper's order."""
    found = {extension_of(record) for record in records}
    return sorted((extension for extension in found if extension is not None), key=lambda item: item.rank)


def names(extensions: Sequence[Extension]) -> dict[Extension, str]:
    """Labels that tell these extensions apart: with their model only if there are several."""
    several = len({extension.model for extension in extensions}) > 1
    return {item: f"{item.model}: {item.label}" if several else item.label for item in extensions}


def colour(extension: Extension, among: Sequence[Extension]) -> str:
    """Colour of a method; of extensions that differ in steps alone, the longer tuned is the darker."""
    plain = GREY if extension.control else COLOURS.get(extension.method, GREY)
    steps = sorted(
        other.steps
        for other in among
        if (other.model, other.method, other.factor) == (extension.model, extension.method, extension.factor)
    )
    missing = 0.5 * (1 - steps.index(extension.steps) / (len(steps) - 1)) if len(steps) > 1 else 0.0
    red, green, blue = (part + (1 - part) * missing for part in to_rgb(plain))
    return to_hex((red, green, blue))


def perplexity_text(value: float) -> str:
    """A perplexity as the paper prints it: two decimals, or `> 10^3`."""
    if math.isnan(value):
        return "not a number"
    return BEYOND if value > UNREADABLE else f"{value:.2f}"


def whole(value: float) -> str:
    """A window, a distance or a number of steps: a plain whole number, as the paper prints it."""
    return f"{value:.0f}"


def thousands(value: float) -> str:
    """A count with separators."""
    return f"{value:,.0f}"


def rate_text(value: float) -> str:
    """A share of one, as per cent."""
    return f"{value:.1%}".replace("%", " %")


def plural(count: int, noun: str) -> str:
    """`1 document`, `3 documents`."""
    return f"{thousands(count)} {noun}" + ("" if count == 1 else "s")
