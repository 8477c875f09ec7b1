"""What a page shows of sliding-window perplexity: the layout of Tables 1 and 2."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from position_interpolation.display.section import Section
from position_interpolation.display.tables import EXTENSION, Table, each, fill
from position_interpolation.evidence import paper, select
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import OVER_DOCUMENTS, perplexity_text, plural, thousands
from position_interpolation.tasks.perplexity import aggregation, figures


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
            perplexity_table(rows, main),
            tuple(
                (f"perplexity{suffix}{end}", partial(figures.perplexity_figure, own, main))
                for end, own in select.by_figure(rows).items()
                if sum((row.metric, row.protocol) == ("perplexity", main) for row in own) > 1  # one needs no picture
            ),
            tuple((f"protocol {protocol}", perplexity_table(rows, protocol)) for protocol in others),
        )
    for rows in select.perplexities(records).values():
        if aggregation.asked(rows):
            yield Section(aggregation.QUESTION, rows, "aggregation", aggregation.aggregation_table(rows), ())


def perplexity_table(records: Sequence[Record], protocol: str = "token") -> Table:
    """Extensions by evaluation windows, the paper's numbers behind ours, of one group of `select.perplexities`."""
    shown = [record for record in records if record.metric == "perplexity" and record.protocol == protocol]
    extensions, windows = ordered(shown), select.windows(shown)
    task, base = shown[0].task, extensions[0].base_window
    columns = [*EXTENSION]
    columns += each(
        windows, str, lambda window, item: select.find(shown, item, "perplexity", window), perplexity_text, True
    )
    if protocol == "token":  # the paper does not say how it aggregates: its numbers stand beside the sound way only
        columns += each(
            windows,
            lambda window: f"paper {paper.window(window, base)}",
            lambda window, item: paper.beside(item, task, "perplexity", window),
            perplexity_text,
            optional=True,
        )
    table = fill(extensions, columns)
    return replace(table, caption=_caption(shown, protocol, table.beside_paper) + _sample_caption(records))


def _caption(records: Sequence[Record], protocol: str, beside_paper: bool) -> str:
    first = records[0]
    counts = [record.n_tokens or 0 for record in records]
    scored = plural(max(counts), "scored token")
    if min(counts) < max(counts):  # a sample scores fewer tokens at some windows
        scored = f"{thousands(min(counts))} to {scored}"
    caption = (
        f"Perplexity on {select.text(records, scored)} by evaluation window in tokens; stride {first.stride}, "
        f"protocol {protocol}. {OVER_DOCUMENTS}"
    )
    if beside_paper:
        caption += (
            f" Paper: LLaMA {paper.sizes(ordered(records))}, {paper.TITLES[first.task]}, windows at the same multiples "
            "of L; PI tuned 1000 steps, FT 10000" + (", untuned PI from Table 3." if first.task == "pg19" else ".")
        )
    return caption


def _sample_caption(records: Sequence[Record]) -> str:
    """How far the full evaluation may lie, where a sample of windows stands for it."""
    sampled = [record for record in records if record.metric == select.OF_ALL_WINDOWS]
    if not sampled:
        return ""
    widest = max((record.ci_high or record.value) / record.value - 1 for record in sampled)
    return (
        " Each document's first and last windows were run, and a random sample of those between, which stands for all: "
        f"with 95 % confidence every window would give these values to within {widest:.1%}."
    )
