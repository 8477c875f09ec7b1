"""Perplexity by block of positions."""

from collections.abc import Sequence

from position_interpolation.records import Record
from position_interpolation.report import groups
from position_interpolation.report.labels import (
    ordered,
    perplexity_text,
    plural,
)
from position_interpolation.report.tables import EXTENSION, Column, Table, cell_of, extension_cells


def positions_table(records: Sequence[Record]) -> Table:
    """Perplexity by position inside one long forward: one row an extension, one column a block of positions.

    Args:
        records: one group of `groups.positions`.
    """
    blocks = sorted({groups.block(record) for record in records})
    columns = [Column(f"{start}-{stop - 1}", perplexity_text, measured=True) for start, stop in blocks]
    rows = tuple(
        (
            *extension_cells(extension),
            *(cell_of(groups.find(records, extension, f"perplexity_{start}_{stop}")) for start, stop in blocks),
        )
        for extension in ordered(records)
    )
    documents = max((record.n_documents or 0 for record in records), default=0)
    caption = (
        f"Perplexity by block of positions inside one forward, over {plural(documents, 'document')}; "
        "in brackets the 95 % interval" + (" over segments of that one document." if documents == 1 else ".")
    )
    return Table((*EXTENSION, *columns), rows, caption)
