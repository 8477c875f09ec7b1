"""A section: one part of a page."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from position_interpolation.display.tables import Table


@dataclass(frozen=True)
class Section:
    """One part of a page: a table, the figures that go with it, and the stem of the table's files."""

    title: str
    stem: str
    table: Table
    drawings: tuple[tuple[str, Callable[[], Figure]], ...]  # file stem and how to draw it
    more: tuple[tuple[str, Table], ...] = ()  # the same read otherwise, and how: folded away
