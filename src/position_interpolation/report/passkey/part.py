"""What a page shows of passkey retrieval, and what it finds."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.records import Record
from position_interpolation.report import groups
from position_interpolation.report.passkey import figures, tables
from position_interpolation.report.passkey.findings import passkey
from position_interpolation.report.section import Section
from position_interpolation.report.steps import counts
from position_interpolation.report.verdicts import Finding


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success by distance, and k_max."""
    for rows in groups.passkeys(records).values():
        draw = partial(figures.passkey_figure, rows)
        yield Section("Passkey retrieval", "passkey", tables.passkey_table(rows), (("passkey", draw),))


def findings(records: Sequence[Record]) -> Iterator[Finding]:
    """What holds."""
    for rows in groups.passkeys(records).values():
        yield from passkey(counts.ends(rows))
