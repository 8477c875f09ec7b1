"""What a page shows of sliding-window perplexity."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.perplexity import aggregation, figures, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """A table and a figure per text, with other protocols folded away; then Table 2's rise under each protocol."""
    for place, (group, rows) in enumerate(select.perplexities(records).items()):
        suffix = f"_{group.task}" if place else ""
        # `token` is the sound aggregation, so it comes first if it was measured.
        known = {str(record.protocol): None for record in rows if record.metric == "perplexity"}
        main, *others = sorted(known, key=lambda protocol: protocol != "token")
        yield Section(
            f"Perplexity by evaluation window: {group.task}, {group.source} text",
            rows,
            f"table{suffix}",
            tables.perplexity_table(rows, main),
            tuple(
                (f"perplexity{suffix}{end}", partial(figures.perplexity_figure, own, main))
                for end, own in select.parted(rows).items()
                if figures.compares(own, main)
            ),
            tuple((f"protocol {protocol}", tables.perplexity_table(rows, protocol)) for protocol in others),
        )
    for rows in select.perplexities(records).values():
        if aggregation.asked(rows):
            yield Section(aggregation.QUESTION, rows, "aggregation", aggregation.aggregation_table(rows), ())
