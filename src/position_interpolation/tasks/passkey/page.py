"""What a page shows of passkey retrieval."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.passkey import figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success by distance, and k_max."""
    for rows in select.passkeys(records).values():
        draw = partial(figures.passkey_figure, rows)
        yield Section("Passkey retrieval", "passkey", tables.passkey_table(rows), (("passkey", draw),))
