"""What a page shows of bases on their way."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.comparisons.base_tokens import figures, tables
from position_interpolation.display.section import Section
from position_interpolation.evidence import select, variants
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.passkey import rules


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Bases stopped after growing numbers of tokens, all seeds together."""
    for group, rows in select.stopped(records).items():
        draw = partial(figures.base_tokens_figure, rows)
        title = f"Perplexity by training tokens of the base: {group.task}, {group.source} text"
        yield Section(title, "base_tokens", tables.base_tokens_table(rows), (("base_tokens", draw),))
    found = [row for row in records if row.metric == "k_max" and variants.tokens_of(row.model) is not None]
    for rule in rules.SENTENCES:
        retrieved = [row for row in found if row.protocol == rule]
        if not retrieved:
            continue
        draw = partial(figures.base_tokens_figure, retrieved, "k_max")
        title = f"Passkey retrieval by training tokens of the base, rule {rule}"
        table = tables.base_tokens_table(retrieved, "k_max")
        yield Section(title, "base_tokens_passkey", table, (("base_tokens_passkey", draw),))
