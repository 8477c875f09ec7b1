"""Extensions that differ in their tuning steps alone: what Tables 3 and 4 put in one row."""

from collections.abc import Sequence

from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record

FEWEST = 3  # step counts that make a row worth its own table


def families(rows: Sequence[Record]) -> list[list[Extension]]:
    """Extensions alike in all but steps, by ascending steps, where there are at least three; in the paper's order."""
    alike: dict[tuple[str, str, float], list[Extension]] = {}
    for extension in ordered(rows):
        alike.setdefault((extension.base, extension.method, extension.factor), []).append(extension)
    return [family for family in alike.values() if len(family) >= FEWEST]


def ends(rows: Sequence[Record]) -> list[Record]:
    """The records less those of a family between untuned and longest tuned, which would crowd plain figures."""
    between = {extension for family in families(rows) for extension in family[:-1] if extension.steps}
    return [record for record in rows if extension_of(record) not in between]
