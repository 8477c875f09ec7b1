"""What a page shows of LongPPL."""

from collections.abc import Iterator, Sequence

from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.longppl.tables import ALL, KEY, longppl_table


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """LongPPL by text, evaluator and long context."""
    rows = [record for record in records if record.metric in (KEY, ALL) and select.plain(record)]
    for group, own in select.grouped(rows, "text", "length").items():
        title = f"LongPPL: {group.source} text, key tokens by {own[0].data['evaluator']}"
        yield Section(title, own, "longppl", longppl_table(own), ())
