"""Real heads beside the bounds of section 2, as tables: all heads together, by block of spans, by layer."""

from collections.abc import Callable, Sequence
from functools import partial

from position_interpolation.display.tables import Column, Table, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import Block
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.heads.geometry import REACH

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
PARTS = {"median": "median", "p95": "95th percentile", "largest": "largest"}
LEVELS = ("median", "p95")  # of scores
Scores = dict[Block, dict[str, Record]]  # by level
INTERVAL = "In brackets the 95 % interval of a bootstrap over the pairs of each head"


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
        blocks |= scores.keys()
        columns += [_column(extension, partial(_score, scores, name), PARTS[name]) for name in LEVELS]
        step = select.find(records, extension, "span_step")
        if step is not None and step.value > 1:
            caption += f" Of {extension.base}'s spans every {step.value:.0f}th is scored."
    return fill(sorted(blocks), columns, caption)


def layers_table(records: Sequence[Record]) -> Table:
    """The interpolation error by layer, of one group of `select.heads`."""
    columns = [Column("Layer", int)]
    layers: set[int] = set()
    for extension in ordered(records):
        for name, part in PARTS.items():
            errors = select.along(records, extension, f"error_{name}")
            layers |= errors.keys()
            columns.append(_column(extension, errors.get, part))
    caption = (
        "Largest error half way between neighbouring spans of [0, L), in units of the pair's max|h_j|, over the pairs "
        f"and heads of each layer, counted from 0. {INTERVAL}; a largest value has none."
    )
    return fill(sorted(layers), columns, caption)


def scores_by_span(records: Sequence[Record], extension: Extension) -> Scores:
    """The scores of an extension in each block of spans, ascending, by level."""
    levels = {name: select.along(records, extension, f"score_{name}") for name in LEVELS}
    blocks = select.blocks(levels["median"], REACH * extension.base_window)
    return {
        (start, stop): {name: level[start] for name, level in levels.items() if start in level}
        for start, stop in blocks
    }


def is_whole(records: Sequence[Record], extension: Extension) -> bool:
    """Whether an extension has every number, and scores at some span."""
    numbers = {record.metric for record in records if record.at is None}
    return numbers.issuperset(NUMBERS) and bool(scores_by_span(records, extension))


def _score(scores: Scores, name: str, start: int, stop: int) -> Record | None:
    return scores.get((start, stop), {}).get(name)


def _column(extension: Extension, of: Callable[..., Record | None], *part: str) -> Column:
    """A column of one model."""
    return Column(", ".join((extension.base, f"L = {extension.base_window}", *part)), of, _short, measured=True)


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
