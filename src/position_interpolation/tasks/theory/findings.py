"""Claims of section 2, from the numbers that Figures 2 and 5 state and from the audit by head dimension."""

from collections.abc import Sequence

from position_interpolation.evidence import paper
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import EXPLOSION, Finding, exact
from position_interpolation.tasks.theory.bounds import EXTENDED, PLOTTED
from position_interpolation.tasks.theory.tables import audited, stated

NEEDED = {"plotted_inside", "plotted_outside", "plotted_between", "factor_printed", "factor_corrected"}


def theory(rows: Sequence[Record]) -> list[Finding]:
    """What the exact numbers say; nothing if they are not there.

    Args:
        rows: records of the task `theory`.
    """
    return _stated(rows) + _audited(rows)


def _stated(rows: Sequence[Record]) -> list[Finding]:
    """Claims that Figures 2 and 5 make."""
    value = {record.metric: record.value for record in stated(rows)}
    if not value.keys() >= NEEDED:
        return []
    outside, between = (value[f"plotted_{where}"] / value["plotted_inside"] for where in ("outside", "between"))
    printed, corrected = value["factor_printed"], value["factor_corrected"]
    numbers = paper.printed()["theory"]
    claimed = 2 * numbers["interpolation_bound_printed"]  # what "about 600" rounds
    return [
        exact(
            f"A score fitted inside the window blows up past it: {outside:,.0f} times its largest value "
            "inside, in the draw of median height; how high is a matter of the arithmetic (Fig. 2).",
            outside,
            outside > EXPLOSION,
        ),
        exact(
            f"Between integers the same score stays small: on spans 25 to 75 it reaches {between:.2f} times its "
            "largest value at integers (Fig. 2).",
            between,
            between < EXPLOSION,
        ),
        exact(
            f"The extrapolation bound is at least {claimed:.0f} (about {numbers['claimed_ratio']}) times the "
            f"interpolation bound as printed in eq. 7: at least {printed:.0f} times on the spans of Fig. 5.",
            printed,
            printed >= claimed,
        ),
        exact(
            f"The same with the interpolation bound corrected, since eq. 14 runs the wrong way: at least "
            f"{corrected:.0f} times.",
            corrected,
            corrected >= claimed,
        ),
    ]


def _audited(rows: Sequence[Record]) -> list[Finding]:
    """Whether eq. 7 holds as printed and corrected, and where B(s) >= d, on which the factor of 600 rests."""
    dimensions = audited(rows)
    if 128 not in dimensions:
        return []
    own, longest = dimensions[128], audited(rows, EXTENDED)[128]
    worst, printed = own["worst_midpoint_deviation"], own["printed_bound"]
    shares = [row["worst_midpoint_deviation"] / row["corrected_bound"] for row in dimensions.values()]
    plotted, extended = own["smallest_ratio"], longest["smallest_ratio"]
    span = longest["smallest_ratio_span"]
    short = [d for d, row in dimensions.items() if row["smallest_ratio"] < 1]
    least = min(row["smallest_ratio"] for row in dimensions.values())
    others = f"d = {', '.join(map(str, short))} fall below" if short else "none falls below"
    return [
        exact(
            f"The interpolation error never exceeds eq. 7 as printed: at d = 128 a query and key exist that deviate by "
            f"{worst:.4f} max|h| half way between integers, and the printed bound is {printed:.4f} max|h|.",
            worst / printed,
            worst <= printed,
        ),
        exact(
            f"It never exceeds the corrected bound: over {len(dimensions)} head dimensions the worst deviation is "
            f"{min(shares):.1%} to {max(shares):.1%} of it.".replace("%", " %"),
            max(shares),
            max(shares) <= 1,
        ),
        exact(
            f"B(s) >= d, on which the factor of 600 rests, holds at d = 128 on the plotted spans s < {PLOTTED}: the "
            f"smallest B(s) / d is {plotted:.3f}.",
            plotted,
            plotted >= 1,
        ),
        exact(
            f"B(s) >= d holds at d = 128 up to the paper's own extended window of {EXTENDED}: the smallest B(s) / d is "
            f"{extended:.3f}, at s = {span:.0f}.",
            extended,
            extended >= 1,
        ),
        exact(
            f"B(s) >= d holds at every head dimension on s < {PLOTTED}: {others}, the smallest B(s) / d is "
            f"{least:.3f}.",
            least,
            least >= 1,
        ),
    ]
