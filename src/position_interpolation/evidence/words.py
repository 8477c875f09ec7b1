"""Numbers as readers see them, in every table, figure and sentence."""

import math

# Above this a perplexity is printed as the paper does; the csv keeps the number.
UNREADABLE = 1000.0
BEYOND = "> 10^3"
OVER_DOCUMENTS = "In brackets the 95 % interval of a bootstrap over documents."


def perplexity_text(value: float) -> str:
    """A perplexity as the paper prints it: two decimals, or `> 10^3`."""
    if math.isnan(value):
        return "not a number"
    return BEYOND if value > UNREADABLE else f"{value:.2f}"


def whole(value: float) -> str:
    """A window, a distance or a number of steps, as a plain whole number."""
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
