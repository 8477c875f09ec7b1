"""What a page shows of real heads beside the bounds of section 2: all heads, by block of spans, by layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from position_interpolation.display import drawing
from position_interpolation.display.colours import BLACK, BLUE, GREY, VERMILION
from position_interpolation.display.section import Section
from position_interpolation.display.tables import Column, Table, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import Block
from position_interpolation.evidence.words import plural, whole
from position_interpolation.tasks.heads.scores import REACH
from position_interpolation.tasks.theory.bounds import partial_sum_magnitude

NUMBERS = {
    "head_dim": "head dimension d",
    "rope_theta": "RoPE base c",
    "pairs": "pairs of a query and a key",
    "printed_bound": "bound on the interpolation error as printed (eq. 7)",
    "corrected_bound": "bound on the interpolation error, corrected",
    "error_median": "interpolation error, median",
    "error_p95": "interpolation error, 95th percentile",
    "error_largest": "interpolation error, largest",
    "share_above_printed": "share of pairs above the printed bound",
    "next_window_over_inside": "largest score on [L, 2L) over that on [0, L), median",
    "outside_over_inside": "largest score on [L, 4L) over that on [0, L), median",
    "tightness": "largest share of its bound (eq. 8) that a score on [L, 4L) reaches, median",
    "outside_over_error": "largest score on [L, 4L) over the interpolation error, median",
    "smallest_ratio": "smallest B(s) / d on s < 4L",
    "smallest_ratio_span": "at s",
    "share_below_one": "share of s < 4L with B(s) / d < 1",
}
TITLES = {"median": "median", "p95": "95th percentile", "largest": "largest"}
LEVELS = ("median", "p95")  # of scores
INTERVAL = "In brackets the 95 % interval of a bootstrap over the pairs of each head"
QUANTILES = {"largest": (GREY, "^:"), "p95": (BLUE, "s:"), "median": (BLUE, "o-")}  # over pairs: colour and marker


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """The numbers of real heads, by text; a figure for each base that has all of them."""
    for group, rows in select.heads(records).items():
        own = {item: [record for record in rows if extension_of(record) == item] for item in ordered(rows)}
        drawings = tuple(
            (f"heads_{item.base}", partial(heads_figure, found)) for item, found in own.items() if is_whole(found, item)
        )
        yield Section(f"Real heads against the bounds: {group.source} text", rows, "heads", heads_table(rows), drawings)
        yield Section("Real heads: scores by span", rows, "heads_spans", spans_table(rows), ())
        yield Section("Real heads: interpolation error by layer", rows, "heads_layers", layers_table(rows), ())


def heads_table(records: Sequence[Record]) -> Table:
    """Every number over all heads: one row per number, one column per model, of one group of `select.heads`."""
    columns = [Column("Number", NUMBERS.get)]
    columns += [_column(extension, partial(select.find, records, extension)) for extension in ordered(records)]
    return fill(NUMBERS, columns, _caption(records))


def spans_table(records: Sequence[Record]) -> Table:
    """The largest |a(s)| / sqrt(d) in each block of spans, of one group of `select.heads`."""
    columns = [Column("Spans", select.positions_text)]
    blocks: set[Block] = set()
    caption = f"Largest |a(s)| / sqrt(d) of a pair in each block of spans s, over all pairs and heads. {INTERVAL}."
    for extension in ordered(records):
        scores = scores_by_span(records, extension)
        blocks |= scores["median"].keys()
        for name in LEVELS:
            columns.append(_column(extension, lambda *block, own=scores[name]: own.get(block), TITLES[name]))
        step = select.find(records, extension, "span_step")
        if step is not None and step.value > 1:
            caption += f" Of {extension.base}'s spans every {step.value:.0f}th is scored."
    return fill(sorted(blocks), columns, caption)


def layers_table(records: Sequence[Record]) -> Table:
    """The interpolation error by layer, of one group of `select.heads`."""
    columns = [Column("Layer", int)]
    layers: set[int] = set()
    for extension in ordered(records):
        for name, quantile in TITLES.items():
            errors = select.along(records, extension, f"error_{name}")
            layers |= errors.keys()
            columns.append(_column(extension, errors.get, quantile))
    caption = (
        "Largest error half way between neighbouring spans of [0, L), in units of the pair's max|h_j|, over the pairs "
        f"and heads of each layer, counted from 0. {INTERVAL}; a largest value has none."
    )
    return fill(sorted(layers), columns, caption)


def scores_by_span(records: Sequence[Record], extension: Extension) -> dict[str, dict[Block, Record]]:
    """The scores of an extension by level, then by block of spans, ascending."""
    levels = {name: select.along(records, extension, f"score_{name}") for name in LEVELS}
    blocks = select.blocks(levels["median"], REACH * extension.base_window)
    return {name: {block: own[block[0]] for block in blocks if block[0] in own} for name, own in levels.items()}


def is_whole(records: Sequence[Record], extension: Extension) -> bool:
    """Whether an extension has every number, and scores at some span."""
    numbers = {record.metric for record in records if record.at is None}
    return numbers.issuperset(NUMBERS) and bool(scores_by_span(records, extension)["median"])


def _column(extension: Extension, of: Callable[..., Record | None], *quantile: str) -> Column:
    """A column of one model."""
    return Column(", ".join((extension.base, f"L = {extension.base_window}", *quantile)), of, _short, measured=True)


def _short(value: float) -> str:
    """Four digits, thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _caption(records: Sequence[Record]) -> str:
    tokens = max(record.n_tokens or 0 for record in records)
    return (
        f"Queries and keys of every head, before RoPE, from {select.counted(records)} "
        f"({plural(tokens, 'position')}) of {records[0].data.get('source')} text; the query is never before the key. "
        "Each pair gives h_j, and with it a score a(s) at every span. The interpolation error is the largest half way "
        "between neighbouring spans of [0, L), in units of the pair's max|h_j|, as are the bounds on it; scores are "
        f"|a(s)|. [L, 4L) has three times the spans of [0, L), [L, 2L) as many. {INTERVAL}, Wilson for the share of "
        "pairs; bounds and B(s) are exact."
    )


@drawing.styled
def heads_figure(records: Sequence[Record]) -> Figure:
    """Three panels for the records of one model in one group of `select.heads`, for which `is_whole` holds."""
    found = {record.metric: record for record in records if record.at is None}
    extension = ordered(records)[0]
    by_span = scores_by_span(records, extension)
    figure, (scores, errors, ratio) = drawing.panels(1.7, 1.7, 1.7)
    for name in ("p95", "median"):
        _quantile(scores, {sum(span) / 2: record for span, record in by_span[name].items()}, name)
    scores.set_ylabel("largest |a(s)| / √d\nin a block of spans (no unit)")
    scores.set_ylim(bottom=0)
    for name in QUANTILES:
        _quantile(errors, select.along(records, extension, f"error_{name}"), name)
    _bounds(errors, found)
    _ratio(ratio, found, max(stop for _, stop in by_span["median"]))
    for axes in (scores, ratio):
        drawing.mark(axes, extension.base_window)
        axes.set_xlabel("span s (tokens)")
        axes.xaxis.set_major_locator(MaxNLocator(5))
    first = found["error_median"]
    return drawing.finish(
        figure,
        f"The heads of {extension.base}: d = {whole(found['head_dim'].value)}, base {found['rope_theta'].value:g}; "
        f"{plural(round(found['pairs'].value), 'pair')} of a query and a key from "
        f"{select.counted([first], 'document')} ({first.data.get('source')} text); "
        "bars: 95 % bootstrap over pairs",
    )


def _quantile(axes: Axes, curve: Mapping[Any, Record], name: str) -> None:
    shade, look = QUANTILES[name]
    inner = shade if name == "median" else "white"
    values = [record.value for record in curve.values()]
    axes.plot(list(curve), values, look, color=shade, markerfacecolor=inner, label=TITLES[name])
    drawing.intervals(axes, curve, shade)


def _bounds(axes: Axes, found: dict[str, Record]) -> None:
    """What section 2 allows for the interpolation error, above the errors by layer."""
    corrected, printed = found["corrected_bound"].value, found["printed_bound"].value
    axes.axhline(corrected, color=BLACK, linestyle="-.", label=f"corrected bound: {corrected:.4f}")
    axes.axhline(printed, color=VERMILION, linestyle="--", label=f"eq. 7 as printed: {printed:.4f}")
    drawing.log_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="layer", ylabel="interpolation error in the\nwindow / max|h_j| (no unit)")


def _ratio(axes: Axes, found: dict[str, Record], stop: int) -> None:
    """B(s) / d, which the model's d and base decide, with the minimum that was recorded."""
    head_dim, base = round(found["head_dim"].value), found["rope_theta"].value
    axes.plot(partial_sum_magnitude(np.arange(stop), head_dim, base) / head_dim, color=BLUE, linewidth=0.6)
    axes.axhline(1, color=BLACK, linestyle=":", label="B(s) / d = 1")
    span, least = found["smallest_ratio_span"].value, found["smallest_ratio"].value
    axes.plot(span, least, "D", color=VERMILION, label=f"minimum {least:.4f} at s = {whole(span)}")
    drawing.log_axis(axes)
    axes.set_ylabel("B(s) / d (no unit)")
