"""Tuning curves: the training losses of extensions, as their records keep them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from position_interpolation.display.tables import EXTENSION, Cell, Column, Table, extension_cells
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.select import TRAINING_LOSS, along, plain
from position_interpolation.evidence.words import plural


def curves(records: Iterable[Record]) -> dict[tuple[str, int], list[Record]]:
    """Training losses by (text, seed), of each extension's longest tuning alone: the shorter is its start."""
    losses = [record for record in records if is_loss(record) and plain(record)]
    longest: dict[tuple[str, str, float], int] = {}
    for extension in ordered(losses):  # ascending in steps
        longest[extension.model, extension.method, extension.factor] = extension.steps
    found: dict[tuple[str, int], list[Record]] = {}
    for record in losses:
        item = extension_of(record)
        if item is not None and item.steps == longest[item.model, item.method, item.factor]:
            found.setdefault((str(record.data.get("name")), record.seed), []).append(record)
    return found


def is_loss(record: Record) -> bool:
    """Whether a record is a point of a tuning curve."""
    return record.metric == TRAINING_LOSS


def points(rows: Sequence[Record], extension: Extension) -> list[tuple[int, float]]:
    """(step, loss) of one extension, ascending."""
    return [(step, record.value) for step, record in along(rows, extension, TRAINING_LOSS).items()]


def scaled(record: Record, by: float) -> Record:
    """The record's value and interval in another unit."""
    low, high = (None if end is None else end * by for end in (record.ci_low, record.ci_high))
    return replace(record, value=record.value * by, ci_low=low, ci_high=high)


def curves_table(rows: Sequence[Record]) -> Table:
    """Where each curve starts, is half-way and ends.

    Args:
        rows: one group of `curves`.
    """
    lines = []
    for extension in ordered(rows):
        own = points(rows, extension)
        tokens = max(record.n_tokens or 0 for record in rows if extension_of(record) == extension)
        three = (own[0], own[(len(own) - 1) // 2], own[-1])
        cells = [Cell(number) for point in three for number in point]
        lines.append((*extension_cells(extension), Cell(tokens), *cells))
    columns = [*EXTENSION, Column("Tokens")]
    for name in ("start", "half-way", "end"):
        columns += [Column(f"Step, {name}"), Column(f"Loss, {name}", lambda value: f"{value:.3f}")]
    first = rows[0].data
    most = max(len(points(rows, extension)) for extension in ordered(rows))
    caption = (
        f"Training loss in nats a token on {first.get('name')} ({first.get('source')} text), of each extension's "
        "longest tuning: every number is the mean over a block of steps that ends at the step given, of "
        f"{plural(most, 'block')} at most. Extensions of different windows see different sequences: compare slopes, "
        "not levels."
    )
    return Table(tuple(columns), tuple(lines), caption)
