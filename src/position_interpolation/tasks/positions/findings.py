"""Claims about perplexity by position inside one long forward: what happens at the edge of the window."""

from collections.abc import Sequence

from position_interpolation.evidence import comparison
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import EXPLOSION, Finding, Judge, above, below, judged, missing
from position_interpolation.evidence.words import plural

FLAT = "PI does not explode past the window"


def positions(rows: Sequence[Record]) -> list[Finding]:
    """How the base and PI fare past L, and what PI costs inside it.

    Args:
        rows: one group of `select.positions`.
    """
    found = []
    for base in [extension for extension in ordered(rows) if extension.method == "none" and not extension.steps]:
        inside, past = comparison.stretches(rows, base)
        claim = "The untuned base explodes past its window"
        measured = f"{base.base}'s perplexity over the positions past {base.window} is"
        found.append(_judged(past, inside, claim, measured, "that inside", above(EXPLOSION)))
        interpolated = [item for item in ordered(rows) if item.method == "pi" and item.base == base.base]
        for extension in interpolated:
            found += _interpolated(rows, base, extension)
        if not interpolated:
            found.append(missing(FLAT))
    return found


def _interpolated(rows: Sequence[Record], base: Extension, extension: Extension) -> list[Finding]:
    """One extension against itself inside the window, and against the base on both sides of its edge."""
    base_inside, base_past = comparison.stretches(rows, base)
    inside, past = comparison.stretches(rows, extension)
    worst = comparison.worst_block(rows, extension)
    name = names(ordered(rows))[extension]
    edge = base.window
    return [
        _judged(
            worst,
            inside,
            FLAT,
            f"the worst block of {name} past {edge} is",
            "its mean inside",
            below(EXPLOSION),
        ),
        _judged(
            past,
            base_past,
            "PI beats the base past the window",
            f"past {edge} {name} is",
            "the base",
            below(1.0),
        ),
        _judged(
            inside,
            base_inside,
            "PI loses nothing inside the window",
            f"inside {edge} {name} is",
            "the base",
            below(1.0),
        ),
    ]


def _judged(
    left: comparison.Stretch, right: comparison.Stretch, claim: str, measured: str, reference: str, judge: Judge
) -> Finding:
    ratio = comparison.blocks(left, right)
    if ratio is None:
        return missing(claim)
    counted = plural(ratio.documents, "document")
    text = f"{claim}: {measured} {ratio.times()} {reference} (perplexity, {counted})."
    return judged(text, ratio, judge)
