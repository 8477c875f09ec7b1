"""Claims of section 2, from the numbers that Figures 2 and 5 state."""

from collections.abc import Sequence

from position_interpolation.records import Record
from position_interpolation.report import paper
from position_interpolation.report.verdicts import EXPLOSION, Finding, exact

NEEDED = {"plotted_inside", "plotted_outside", "plotted_between", "factor_printed", "factor_corrected"}


def theory(rows: Sequence[Record]) -> list[Finding]:
    """What the exact numbers say; nothing if they are not there.

    Args:
        rows: records of the task `theory`.
    """
    value = {record.metric: record.value for record in rows}
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
