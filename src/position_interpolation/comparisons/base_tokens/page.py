"""What a page shows of bases that were stopped early."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.comparisons.base_tokens import figures, tables
from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.passkey import rules


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Bases stopped after growing numbers of tokens, all seeds together."""
    for group, rows in select.stopped(records).items():
        drawings = (("base_tokens", partial(figures.perplexity_figure, rows)),) if figures.ratios(rows) else ()
        title = f"Perplexity by training tokens of the base: {group.task}, {group.source} text"
        yield Section(title, rows, "base_tokens", tables.base_tokens_table(rows), drawings)
    found = [row for row in records if row.metric == "k_max" and row.base_tokens is not None]
    for rule in rules.SENTENCES:
        retrieved = [row for row in found if row.protocol == rule]
        if not retrieved:
            continue
        draw = partial(figures.k_max_figure, retrieved)
        title = f"Passkey retrieval by training tokens of the base, rule {rule}"
        table = tables.base_tokens_table(retrieved, "k_max")
        yield Section(title, retrieved, "base_tokens_passkey", table, (("base_tokens_passkey", draw),))
