"""What a page shows of passkey retrieval."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from matplotlib.figure import Figure

from position_interpolation.display.section import Section
from position_interpolation.evidence import extensions, select
from position_interpolation.evidence.extensions import extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.passkey import figures, maps, rules, tables


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success by distance, k_max and the key's log-likelihood, by the rule that answers were judged by."""
    for group, rows in rules.passkeys(records).items():
        table, title = tables.passkey_table(rows, str(group.rule)), f"Passkey retrieval, rule {group.rule}"
        yield Section(title, rows, group.task, table, tuple(_drawings(group, rows)))


def _drawings(group: select.Group, rows: Sequence[Record]) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """A map of extensions asked in prompts of several lengths, bars for the others, lines for the longest prompts."""
    rule, mapped = str(group.rule), maps.mapped(rows)
    if mapped:
        yield "passkey_map", partial(maps.map_figure, rows, rule)
    plain = [row for row in rows if extension_of(row) not in mapped]
    for end, own in select.parted(plain).items():
        if any(row.metric == "success" and row.at is not None for row in own):
            yield f"passkey{end}", partial(figures.passkey_figure, own, rule)
    likelihoods = [row for row in maps.longest(rows) if row.metric == "key_log_likelihood"]
    for end, own in select.parted(extensions.ends(likelihoods)).items():
        if own:
            yield f"{group.task}_log_likelihood{end}", partial(figures.likelihood_figure, own, rule)
