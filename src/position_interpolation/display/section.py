"""A section of a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from position_interpolation.display.tables import Table
from position_interpolation.evidence.records import Record


@dataclass(frozen=True)
class Section:
    """A table of a page, and the figures that go with it."""

    title: str
    rows: Sequence[Record]  # behind the table
    stem: str  # of the table's files
    table: Table
    drawings: tuple[tuple[str, Callable[[], Figure]], ...]  # file stem, and what draws the figure
    more: tuple[tuple[str, Table], ...] = ()  # folded away: in what way a further table differs, and the table
