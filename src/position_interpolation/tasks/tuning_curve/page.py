"""Tuning curves: the training losses of extensions, as their records keep them."""

from collections.abc import Iterable, Sequence

from position_interpolation.display.tables import EXTENSION, Column, Table, fill
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import TRAINING_LOSS, along, gathered, plain
from position_interpolation.evidence.words import plural


def curves(records: Iterable[Record]) -> list[list[Record]]:
    """Training losses by text, of each extension's longest tuning alone: shorter ones are its beginning."""
    losses = (record for record in records if record.metric == TRAINING_LOSS and plain(record))
    found = []
    for own in gathered(losses, lambda record: (record.data["name"], record.data["source"])).values():
        longest = {extension.untuned: extension for extension in ordered(own)}  # ascending in steps
        found.append([record for record in own if extension_of(record) in longest.values()])
    return found


def points(rows: Sequence[Record], extension: Extension) -> list[tuple[int, float]]:
    """(step, loss) of one extension, ascending."""
    return [(step, record.value) for step, record in along(rows, extension, TRAINING_LOSS).items()]


def curves_table(rows: Sequence[Record]) -> Table:
    """The start, the middle and the end of each curve, of one group of `curves`."""
    own = {extension: points(rows, extension) for extension in ordered(rows)}
    most = max(map(len, own.values()))
    three = {extension: (found[0], _half_way(found), found[-1]) for extension, found in own.items()}
    columns = [
        *EXTENSION,
        Column("Tokens", lambda item: max(row.n_tokens or 0 for row in rows if extension_of(row) == item)),
    ]
    for place, name in enumerate(("start", "half-way", "end")):
        columns.append(Column(f"Step, {name}", lambda item, place=place: three[item][place][0]))
        columns.append(Column(f"Loss, {name}", lambda item, place=place: three[item][place][1], "{:.3f}".format))
    first = rows[0].data
    caption = (
        f"Training loss in nats a token on {first.get('name')} ({first.get('source')} text), of each extension's "
        "longest tuning: every number is the mean over a block of steps that ends at the step given, of "
        f"{plural(most, 'block')} at most. Extensions of different windows see different sequences: compare slopes, "
        "not levels."
    )
    return fill(own, columns, caption)


def _half_way(found: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """The last point of the first half of the steps; records may lie closer together towards the end."""
    return [found[0], *(point for point in found[1:] if 2 * point[0] <= found[-1][0])][-1]
