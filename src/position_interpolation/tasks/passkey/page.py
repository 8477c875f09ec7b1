"""What a page shows of passkey retrieval, and what it finds."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select, step_counts
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding
from position_interpolation.tasks.passkey import figures, tables
from position_interpolation.tasks.passkey.findings import passkey


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success by distance, and k_max."""
    for rows in select.passkeys(records).values():
        draw = partial(figures.passkey_figure, rows)
        yield Section("Passkey retrieval", "passkey", tables.passkey_table(rows), (("passkey", draw),))


def findings(records: Sequence[Record]) -> Iterator[Finding]:
    """What holds."""
    for rows in select.passkeys(records).values():
        yield from passkey(step_counts.ends(rows))
