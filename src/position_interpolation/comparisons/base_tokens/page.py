"""What a page shows of bases on their way, and what it finds."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.comparisons.base_tokens import figures, tables
from position_interpolation.comparisons.base_tokens.findings import base_tokens_findings
from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Bases stopped after growing numbers of tokens, all seeds together."""
    for group, rows in select.stopped(records).items():
        draw = partial(figures.base_tokens_figure, rows)
        title = f"Perplexity by training tokens of the base: {group.task}, {group.source} text"
        yield Section(title, "base_tokens", tables.base_tokens_table(rows), (("base_tokens", draw),))
    retrieved = [row for row in records if row.metric == "k_max" and row.base_tokens is not None]
    if retrieved:
        draw = partial(figures.base_tokens_figure, retrieved, "k_max")
        title = "Passkey retrieval by training tokens of the base"
        table = tables.base_tokens_table(retrieved, "k_max")
        yield Section(title, "base_tokens_passkey", table, (("base_tokens_passkey", draw),))


def findings(records: Sequence[Record]) -> Iterator[Finding]:
    """What holds, by text."""
    for rows in select.stopped(records).values():
        yield from base_tokens_findings(rows)
