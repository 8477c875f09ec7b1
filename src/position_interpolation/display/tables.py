"""Records to tables: which number stands in which cell. How a table is written is `formats`' business."""

from collections.abc import Callable
from dataclasses import dataclass

from position_interpolation.evidence.extensions import METHODS, Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import whole


@dataclass(frozen=True)
class Cell:
    """One value, its 95 % interval, and how many documents or trials it rests on; empty if not measured."""

    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Column:
    """A column: its name, how its numbers read, and whether they are ours, with an interval in the csv."""

    name: str
    show: Callable[[float], str] = whole
    measured: bool = False


@dataclass(frozen=True)
class Table:
    """A table of cells under a header."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)


EXTENSION = (Column("Model"), Column("Window L'"), Column("Method"), Column("Steps"))


def extension_cells(extension: Extension) -> tuple[Cell, ...]:
    """The cells under `EXTENSION`."""
    return Cell(extension.base), Cell(extension.window), Cell(method_name(extension)), Cell(extension.steps)


def method_name(extension: Extension) -> str:
    """What the column Method says of an extension."""
    return "trained at L" if extension.control else METHODS.get(extension.method, extension.method)


def cell_of(record: Record | None) -> Cell:
    """A record's value with its interval; an empty cell if it was not measured."""
    return Cell() if record is None else Cell(record.value, record.ci_low, record.ci_high, record.n_documents)


def printed_cell(record: Record | None) -> Cell:
    """A number of the paper's, which has no interval; an empty cell if nothing is printed."""
    return Cell() if record is None else Cell(record.value)
