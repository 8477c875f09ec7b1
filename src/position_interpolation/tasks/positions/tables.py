"""Perplexity by block of positions."""

from collections.abc import Sequence

from position_interpolation.display.tables import EXTENSION, Column, Table, cell_of, extension_cells
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, plural


def positions_table(records: Sequence[Record]) -> Table:
    """Perplexity by position inside one long forward: one row an extension, one column a block of positions.

    Args:
        records: one group of `select.positions`.
    """
    curves = {extension: select.by_block(records, extension) for extension in ordered(records)}
    blocks = sorted({block for curve in curves.values() for block in curve})
    columns = [Column(f"{start}-{stop - 1}", perplexity_text, measured=True) for start, stop in blocks]
    rows = tuple(
        (*extension_cells(extension), *(cell_of(curve.get(block)) for block in blocks))
        for extension, curve in curves.items()
    )
    documents = max((record.n_documents or 0 for record in records), default=0)
    caption = (
        f"Perplexity by block of positions inside one forward, over {plural(documents, 'document')}; "
        "in brackets the 95 % interval" + (" over segments of that one document." if documents == 1 else ".")
    )
    return Table((*EXTENSION, *columns), rows, caption)
