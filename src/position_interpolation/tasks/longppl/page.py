"""What a page shows of LongPPL: it stands beside perplexity over the same text."""

import math
from collections.abc import Iterator, Sequence

from position_interpolation.display.section import Section
from position_interpolation.display.tables import EXTENSION, Column, Table, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.lines import LARGEST_LOSS
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import OVER_DOCUMENTS, perplexity_text, thousands
from position_interpolation.tasks.longppl.key_tokens import ALL, KEY


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """LongPPL by text, evaluator and long context."""
    rows = [record for record in records if record.metric in (KEY, ALL) and select.plain(record)]
    for group, own in select.grouped(rows, "text", "length").items():
        title = f"LongPPL: {group.source} text, key tokens by {own[0].data['evaluator']}"
        yield Section(title, own, "longppl", longppl_table(own), ())


def longppl_table(rows: Sequence[Record]) -> Table:
    """One row per extension; the records are of one text, one long context and one evaluator."""
    columns = (
        *EXTENSION,
        Column("LongPPL", lambda item: select.find(rows, item, KEY), perplexity_text, measured=True),
        Column("all tokens", lambda item: select.find(rows, item, ALL), perplexity_text, measured=True),
    )
    return fill(ordered(rows), columns, _caption(rows))


def _caption(rows: Sequence[Record]) -> str:
    how = rows[0].data
    key, tokens = (thousands(next(row.n_tokens or 0 for row in rows if row.metric == one)) for one in (KEY, ALL))
    return (
        f"Perplexity on {select.text(rows)} over {key} key tokens and over all {tokens}, in windows of {how['long']} "
        f"that move on by {how['block']}. Key is what {how['evaluator']} (sha256 `{how['evaluator_sha256'][:16]}`) "
        f"finds more than {how['alpha']:g} nats more likely there than in windows of {how['short']}, with a "
        f"log-probability above {how['beta']:g}: its own LongPPL is below {_at_most(-how['beta'])} by that choice, "
        f"whatever it is worth. {OVER_DOCUMENTS}"
    )


def _at_most(loss: float) -> str:
    """The perplexity of a loss in nats, as a power of ten where no float holds it."""
    return perplexity_text(math.exp(loss)) if loss <= LARGEST_LOSS else f"10^{loss / math.log(10):.0f}"
