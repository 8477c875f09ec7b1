"""Perplexity by block of positions."""

from collections.abc import Sequence

from position_interpolation.display.tables import EXTENSION, Column, Table, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import Block
from position_interpolation.evidence.words import perplexity_text


def positions_table(records: Sequence[Record]) -> Table:
    """Perplexity by position inside one long forward: one row an extension, one column a block of positions.

    Args:
        records: one group of `select.positions`.
    """
    curves = {extension: select.by_block(records, extension) for extension in ordered(records)}

    def column(block: Block) -> Column:
        def perplexity(extension: Extension) -> Record | None:
            return curves[extension].get(block)

        return Column(f"{block[0]}-{block[1] - 1}", perplexity, perplexity_text, measured=True)

    blocks = sorted({block for curve in curves.values() for block in curve})
    documents = select.counted(records)
    caption = (
        f"Perplexity by block of positions inside one forward, over {documents}; "
        "in brackets the 95 % interval" + (" over segments of that one document." if documents == "1 document" else ".")
    )
    return fill(curves, (*EXTENSION, *map(column, blocks)), caption)
