"""Numbers as readers see them, in every table, figure and sentence."""

import math

BEYOND = "> 10^3"  # all that the paper says of a perplexity above it
UNREADABLE = 1000.0
OVER_DOCUMENTS = "In brackets the 95 % interval of a bootstrap over documents."


def perplexity_text(value: float) -> str:
    """A perplexity with two decimals, a large one without, a huge one as `1.2e+07`; `> 10^3` if no more is known."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return BEYOND
    return f"{value:.{2 if value < UNREADABLE else 0}f}" if value < 1e6 else f"{value:.2g}"


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
