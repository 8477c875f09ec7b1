"""What section 2's bounds meet in real heads, as tables: all heads together, by block of spans, by layer."""

from collections.abc import Sequence

from position_interpolation.display.tables import Cell, Column, Table
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural

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
INTERVAL = "In brackets the 95 % interval of a bootstrap over the pairs of each head"


def heads_table(records: Sequence[Record]) -> Table:
    """Every number over all heads: one row a number, one column a model.

    Args:
        records: one group of `select.heads`.
    """
    extensions = ordered(records)
    rows = tuple(
        (Cell(name), *(_cell(records, extension, metric) for extension in extensions))
        for metric, name in NUMBERS.items()
    )
    columns = (Column("Number"), *(Column(_name(extension), _short, measured=True) for extension in extensions))
    return Table(columns, rows, _caption(records))


def spans_table(records: Sequence[Record]) -> Table:
    """The largest |a(s)| / sqrt(d) in each block of spans.

    Args:
        records: one group of `select.heads`.
    """
    extensions = ordered(records)
    rows = []
    for start, stop in select.span_blocks(records):
        cells = [
            _cell(records, extension, f"score_{name}_{start}_{stop}")
            for extension in extensions
            for name in ("median", "p95")
        ]
        rows.append((Cell(f"{start}-{stop - 1}"), *cells))
    columns = [
        Column(f"{_name(extension)}, {PARTS[name]}", _short, measured=True)
        for extension in extensions
        for name in ("median", "p95")
    ]
    steps = {extension: select.find(records, extension, "span_step") for extension in extensions}
    thinned = [
        f" Of {extension.model}'s spans every {step.value:.0f}th is scored."
        for extension, step in steps.items()
        if step is not None and step.value > 1
    ]
    caption = f"Largest |a(s)| / sqrt(d) of a pair in each block of spans s, over all pairs and heads. {INTERVAL}."
    return Table((Column("Spans"), *columns), tuple(rows), caption + "".join(thinned))


def layers_table(records: Sequence[Record]) -> Table:
    """The interpolation error by layer.

    Args:
        records: one group of `select.heads`.
    """
    extensions = ordered(records)
    rows = []
    for layer in select.layers(records):
        cells = [_cell(records, extension, f"error_{name}_layer_{layer}") for extension in extensions for name in PARTS]
        rows.append((Cell(layer), *cells))
    columns = [
        Column(f"{_name(extension)}, {part}", _short, measured=True)
        for extension in extensions
        for part in PARTS.values()
    ]
    caption = (
        "Largest error half way between neighbouring spans of [0, L), in units of the pair's max|h_j|, over the pairs "
        f"and heads of each layer, counted from 0. {INTERVAL}; a largest value has none."
    )
    return Table((Column("Layer"), *columns), tuple(rows), caption)


def _name(extension: Extension) -> str:
    return f"{extension.model}, L = {extension.base_window}"


def _short(value: float) -> str:
    """Four digits, thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _cell(records: Sequence[Record], extension: Extension, metric: str) -> Cell:
    record = select.find(records, extension, metric)
    return Cell() if record is None else Cell(record.value, record.ci_low, record.ci_high, record.n_documents)


def _caption(records: Sequence[Record]) -> str:
    documents, tokens = (max(getattr(record, key) or 0 for record in records) for key in ("n_documents", "n_tokens"))
    return (
        f"Queries and keys of every head, before RoPE, from {plural(documents, 'document')} "
        f"({plural(tokens, 'position')}) of {records[0].data.get('source')} text; the query is never before the key. "
        "Each pair gives h_j, and with it a score a(s) at every span. The interpolation error is the largest half way "
        "between neighbouring spans of [0, L), in units of the pair's max|h_j|, as are the bounds on it; scores are "
        f"|a(s)|. [L, 4L) has three times the spans of [0, L), [L, 2L) as many. {INTERVAL}, Wilson for the share of "
        "pairs; bounds and B(s) are exact."
    )
