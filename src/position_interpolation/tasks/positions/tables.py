"""Perplexity by block of positions."""

from collections.abc import Sequence

from position_interpolation.display.tables import EXTENSION, Table, each, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text


def positions_table(records: Sequence[Record]) -> Table:
    """Perplexity by position inside one long forward: one row per extension, one column per block of positions.

    The records are one group of `select.positions`.
    """
    curves = {extension: select.by_block(records, extension) for extension in ordered(records)}
    blocks = sorted({block for curve in curves.values() for block in curve})
    columns = (
        *EXTENSION,
        *each(
            blocks,
            lambda block: select.positions_text(*block),
            lambda block, item: curves[item].get(block),
            perplexity_text,
            True,
        ),
    )
    documents = select.counted(records)
    caption = (
        f"Perplexity by block of positions inside one forward, over {documents}; "
        "in brackets the 95 % interval" + (" over segments of that one document." if documents == "1 document" else ".")
    )
    return fill(curves, columns, caption)
