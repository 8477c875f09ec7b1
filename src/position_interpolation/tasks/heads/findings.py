"""What real heads say about section 2: how far interpolation strays, how far extrapolation, and what was claimed."""

from collections.abc import Sequence

from position_interpolation.evidence.comparison import Ratio
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, above, exact, judged, missing
from position_interpolation.evidence.words import plural

NEEDED = (
    "pairs", "error_median", "error_largest", "printed_bound", "corrected_bound", "next_window_over_inside",
    "outside_over_inside", "smallest_ratio", "smallest_ratio_span", "share_below_one",
)  # fmt: skip


def heads(rows: Sequence[Record]) -> list[Finding]:
    """Claims about the heads of every model measured.

    Args:
        rows: one group of `select.heads`.
    """
    found = []
    for extension in ordered(rows):
        own = {record.metric: record for record in rows if extension_of(record) == extension and record.at is None}
        if not own.keys() >= set(NEEDED):
            found.append(missing(f"The interpolation error of real heads stays below its bound ({extension.base})"))
            continue
        found += [*_errors(own, extension), _growth(own, extension), _condition(own, extension)]
    return found


def _errors(own: dict[str, Record], extension: Extension) -> list[Finding]:
    """The largest error of all pairs against both bounds: exact for these pairs, no statement about others."""
    found = []
    largest, median = own["error_largest"].value, own["error_median"].value
    pairs = plural(round(own["pairs"].value), "pair")
    for name, called in (("printed", "as printed in eq. 7"), ("corrected", "corrected")):
        bound = own[f"{name}_bound"].value
        text = (
            f"The interpolation error of real heads stays below the bound {called}: over {pairs} of {extension.base} "
            f"the largest is {largest:.4f} max|h|, {largest / bound:.1%} of the bound {bound:.4f}; the median is "
            f"{median / bound:.1%} of it."
        )
        found.append(exact(text.replace("%", " %"), largest / bound, largest <= bound))
    return found


def _growth(own: dict[str, Record], extension: Extension) -> Finding:
    """Scores past the window against those inside, on as many spans: more spans alone make a largest score larger."""
    following, whole = (
        Ratio(own[name].value, own[name].ci_low, own[name].ci_high, own[name].n_documents or 0)
        for name in ("next_window_over_inside", "outside_over_inside")
    )
    text = (
        f"Scores of real heads grow past the window: over the pairs of {extension.base} the largest |a(s)| on [L, 2L) "
        f"is {following.times()} that on [0, L) in the median, and on the three times as many spans of [L, 4L) "
        f"{whole.times()}."
    )
    return judged(text, following, above(1.0))


def _condition(own: dict[str, Record], extension: Extension) -> Finding:
    """B(s) >= d at the model's own d and base."""
    least = own["smallest_ratio"].value
    text = (
        f"B(s) >= d, on which the factor of 600 rests, holds at {extension.base}'s own head dimension and base on "
        f"s < 4L: the smallest B(s) / d is {least:.3f}, at s = {own['smallest_ratio_span'].value:.0f}; it is below 1 "
        f"on {own['share_below_one'].value:.1%} of the spans."
    )
    return exact(text.replace("%", " %"), least, least >= 1)
