"""What a page shows of section 2: the numbers of Figures 2 and 5, and the audit of the bounds by head dimension."""

from collections.abc import Iterator, Sequence

from position_interpolation.display.section import Section
from position_interpolation.display.tables import Column, Table, fill
from position_interpolation.evidence import paper
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import rate_text, whole
from position_interpolation.tasks.theory import figures
from position_interpolation.tasks.theory.bounds import EXTENDED, HEAD_DIM, PLOTTED

AUDIT = (
    Column("d", lambda d, _: d),
    Column("Printed bound", lambda _, audit: audit.get("printed_bound"), "{:.5f}".format),
    Column("Corrected bound", lambda _, audit: audit.get("corrected_bound"), "{:.5f}".format),
    Column("Worst midpoint deviation", lambda _, audit: audit.get("worst_midpoint_deviation"), "{:.5f}".format),
    Column("Smallest B(s) / d", lambda _, audit: audit.get("smallest_ratio"), "{:.4f}".format),
    Column("at s", lambda _, audit: audit.get("smallest_ratio_span")),
    Column("Share of s with B(s) / d < 1", lambda _, audit: audit.get("share_below_one"), rate_text),
)
THEORY = (
    "Figure 2, largest |a(s)|: of the draw shown, and outside the window over all draws, by solver. "
    "Figure 5: the ratio B(s) / d, and where it is smallest the factor between the two bounds."
)
WORDS = {
    "plotted_inside": "Fig. 2, drawn: largest score inside the window",
    "plotted_outside": "Fig. 2, drawn: largest score outside",
    "plotted_between": "Fig. 2, drawn: largest score between integers",
    "ratio_at_zero": "Fig. 5: B(s) / d at s = 0",
    "smallest_ratio": "Fig. 5: smallest B(s) / d",
    "smallest_ratio_span": "Fig. 5: at the span s",
    "share_below_one": "Fig. 5: share of spans with B(s) / d < 1",
    "factor_printed": "Bound on extrapolation over bound on interpolation, as printed",
    "factor_corrected": "Bound on extrapolation over bound on interpolation, corrected",
}
SOLVERS = {
    "normal_float32": "normal equations in float32",
    "normal_float64": "normal equations in float64",
    "svd": "singular values above 1e-7",
    "ridge": "ridge of 1 in float64",
}
WORDS |= {
    f"{solver}_outside_{statistic}": f"Fig. 2, {name}: {statistic} of all draws"
    for solver, name in SOLVERS.items()
    for statistic in ("median", "smallest", "largest")
}


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """The paper's figures without a model, and the bounds by head dimension."""
    rows = [record for record in records if record.task == "theory"]
    if stated := [record for record in rows if record.at is None]:  # those of the audit are `at` a head dimension
        drawn = (("figure_1", figures.figure_1), ("figure_2", figures.figure_2), ("figure_5", figures.figure_5))
        yield Section("Figures 1, 2 and 5", stated, "theory", theory_table(stated), drawn)
    if audited(rows):
        yield Section("The bounds by head dimension", rows, "audit", audit_table(rows), ())


def audited(records: Sequence[Record], spans: int = PLOTTED) -> dict[int, dict[str, float]]:
    """The audit over so many spans, by head dimension d and metric, d ascending; empty if it was not recorded."""
    found: dict[int, dict[str, float]] = {}
    for record in records:
        if record.at is not None and record.eval_window == spans:
            found.setdefault(record.at, {})[record.metric] = record.value
    return dict(sorted(found.items()))


def audit_table(records: Sequence[Record]) -> Table:
    """One row per head dimension: both interpolation bounds, the error nearest to them, and the least of B(s) / d."""
    caption = (
        "Bounds on the interpolation error between neighbouring integers (eq. 7: as printed, and with eq. 14 put "
        "right) and the largest error that any query and key have half way, in units of max|h_j|; base 10000. "
        f"B(s) / d on the spans s < {PLOTTED} of Fig. 5."
    )
    extended = audited(records, EXTENDED).get(HEAD_DIM, {})
    least, span = extended.get("smallest_ratio"), extended.get("smallest_ratio_span")
    if least is not None and span is not None:
        caption += f" At d = {HEAD_DIM} and s < {EXTENDED} the smallest is {least:.4f}, at s = {whole(span)}."
    return fill(audited(records).items(), AUDIT, caption)


def theory_table(records: Sequence[Record]) -> Table:
    """The numbers that Figures 2 and 5 state, the paper's beside them."""
    printed = {"factor_printed": float(paper.printed()["theory"]["claimed_ratio"])}
    columns = (
        Column("Number", lambda record: WORDS.get(record.metric, record.metric)),
        Column("Value", lambda record: record.value, "{:,.4g}".format, measured=True),
        Column("paper", lambda record: printed.get(record.metric)),
    )
    return fill(records, columns, THEORY)
