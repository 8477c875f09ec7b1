"""Extensions that differ in their tuning steps alone: what Tables 3 and 4 put in one row."""

from collections.abc import Sequence

from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record

FEWEST = 3  # step counts that make a row worth its own table


def families(rows: Sequence[Record]) -> list[list[Extension]]:
    """Families in the paper's order: at least three extensions that differ in their steps alone, steps ascending."""
    alike: dict[Extension, list[Extension]] = {}
    for extension in ordered(rows):
        alike.setdefault(extension.untuned, []).append(extension)
    return [family for family in alike.values() if len(family) >= FEWEST]


def ends(rows: Sequence[Record]) -> list[Record]:
    """The records without those of a family between untuned and longest tuned, which would crowd plain figures."""
    between = {extension for family in families(rows) for extension in family[:-1] if extension.steps}
    return [record for record in rows if extension_of(record) not in between]
