"""Table 2's rise at its largest window under three aggregations: is it the text, or the way windows are averaged?

A document cut to 16 L fills a window of 16 L once. Averaging windows alike then gives that window, which starts without
context, nearly all the weight; at 8 L the document has many windows, of which one starts without context.
"""

from collections.abc import Sequence

from position_interpolation.display.tables import EXTENSION, Cell, Column, Table, cell_of, extension_cells
from position_interpolation.evidence import comparison, paper, select
from position_interpolation.evidence.comparison import Ratio
from position_interpolation.evidence.extensions import Extension, method_label, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, Verdict, missing
from position_interpolation.evidence.words import perplexity_text, plural

TASK = "proof_pile"
LARGEST = 16  # L' / L
PROTOCOLS = ("token", "window", "document")
# The losses of single documents behind a protocol.
LOSSES = {"token": "document_loss", "window": "document_window_loss"}
QUESTION = "Does window aggregation explain the rise at the largest window?"
CLAIM = "Window aggregation explains the rise at the largest window"


def asked(rows: Sequence[Record]) -> list[Extension]:
    """The extensions to 16 L of a text that is cut to 16 L and was aggregated by window; none for other texts."""
    if rows[0].task != TASK:
        return []
    return [
        item
        for item in ordered(rows)
        if item.factor == LARGEST
        and all(select.find(rows, item, "perplexity", at, "window") for at in (item.window // 2, item.window))
    ]


def aggregation_table(rows: Sequence[Record]) -> Table:
    """Perplexity at 8 L and 16 L under each protocol, the change, and the paper's numbers.

    Args:
        rows: one group of `select.perplexities` for which `asked` finds some.
    """
    lines = []
    for item in asked(rows):
        windows = (item.window // 2, item.window)
        printed = [paper.perplexity(item, TASK, window) for window in windows]
        known = [value for value in printed if value is not None]
        theirs = [*map(Cell, printed), Cell(_change(*known) if len(known) == 2 else None)]
        for protocol in PROTOCOLS:
            found = [select.find(rows, item, "perplexity", window, protocol) for window in windows]
            values = [record.value for record in found if record is not None]
            change = Cell(_change(*values) if len(values) == 2 else None)
            lines.append((*extension_cells(item), Cell(protocol), *map(cell_of, found), change, *theirs))
    base = asked(rows)[0].base_window
    ours = [Column(f"{part * base}", perplexity_text, measured=True) for part in (LARGEST // 2, LARGEST)]
    columns = [*EXTENSION, Column("Protocol"), *ours, Column("Change", _percent)]
    columns += [Column(f"paper {paper.window(part * base, base)}", perplexity_text) for part in (8, 16)]
    caption = (
        "Perplexity on documents cut to 16 L at half of the largest window and at the largest, under each reading of "
        "the sliding window: every token, every window or every document alike. The paper does not say which is its "
        "own; its numbers stand in every row. In brackets the 95 % interval of a bootstrap over documents."
    )
    return Table((*columns, Column("paper change", _percent)), tuple(lines), caption)


def aggregation(rows: Sequence[Record]) -> list[Finding]:
    """Whether perplexity rises from 8 L to 16 L under `window` and not under `token`, on the same documents."""
    return [_explained(rows, item) for item in asked(rows)]


def _explained(rows: Sequence[Record], item: Extension) -> Finding:
    by_token, by_window = (_rise(rows, item, protocol) for protocol in ("token", "window"))
    if by_token is None or by_window is None:
        return missing(f"{CLAIM} ({method_label(item)})")
    text = (
        f"{CLAIM}: from {item.window // 2} to {item.window}, perplexity of {method_label(item)} changes by "
        f"{by_window.percent()} if every window counts alike and by {by_token.percent()} if every token does, over "
        f"{plural(by_token.documents, 'document')} of {rows[0].task}.{_printed(item)}"
    )
    if None in (by_token.low, by_token.high, by_window.low, by_window.high):
        return Finding(f"{text} One document gives no interval, so nothing is concluded.", "within noise")
    return Finding(text, _verdict(by_token, by_window), by_window.value, by_window.low, by_window.high)


def _verdict(by_token: Ratio, by_window: Ratio) -> Verdict:
    """Explained: up under `window` and not up under `token`. Not: up under both, or not up under `window`."""
    low, high = by_window.low or 0.0, by_window.high or 0.0
    if high < 1 or (by_token.low or 0.0) > 1:
        return "does not hold"
    return "holds" if low > 1 and (by_token.high or 0.0) <= 1 else "within noise"


def _rise(rows: Sequence[Record], item: Extension, protocol: str) -> Ratio | None:
    """Perplexity at 16 L over that at 8 L. The documents are of one length, so each has as many windows."""
    largest, half = (
        comparison.document_losses(rows, item, window, LOSSES[protocol]) for window in (item.window, item.window // 2)
    )
    return comparison.paired(largest, half)


def _printed(item: Extension) -> str:
    half, largest = (paper.perplexity(item, TASK, window) for window in (item.window // 2, item.window))
    if half is None or largest is None:
        return ""
    return f" The paper prints {half:.2f} and {largest:.2f} (LLaMA {paper.size(item.model)})."


def _change(half: float, largest: float) -> float:
    return 100 * (largest / half - 1)


def _percent(value: float) -> str:
    return f"{value:+.1f} %"
