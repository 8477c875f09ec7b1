"""Table 2's rise at its largest window under three aggregations: is it the text, or the way windows are averaged?

A document cut to 16 L fills a window of 16 L once. Averaging windows alike then gives that window, which starts without
context, nearly all the weight; at 8 L the document has many windows, of which one starts without context.
"""

from collections.abc import Sequence

from position_interpolation.display.tables import EXTENSION, Cell, Column, Table, cell_of, extension_cells, printed_cell
from position_interpolation.evidence import paper, select
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text

TASK = "proof_pile"
LARGEST = 16  # L' / L
PROTOCOLS = ("token", "window", "document")
# The losses of single documents behind a protocol.
LOSSES = {"token": "document_loss", "window": "document_window_loss"}
QUESTION = "Does window aggregation explain the rise at the largest window?"


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
        printed = [paper.beside(item, TASK, "perplexity", window) for window in windows]
        known = [number.value for number in printed if number is not None]
        theirs = [*map(printed_cell, printed), Cell(_change(*known) if len(known) == 2 else None)]
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


def _change(half: float, largest: float) -> float:
    return 100 * (largest / half - 1)


def _percent(value: float) -> str:
    return f"{value:+.1f} %"
