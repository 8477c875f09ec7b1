"""Tables as data: each column is declared with where its numbers come from, and `fill` puts the numbers in.

`formats` writes tables out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import whole


@dataclass(frozen=True)
class Cell:
    """One value, its 95 % interval, and how many documents or trials it rests on; empty if not measured."""

    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None

    def shown(self, column: "Column") -> str:
        """The value alone, for readers; empty if there is none."""
        return (self.value or "") if self.value is None or isinstance(self.value, str) else column.show(self.value)

    def interval(self, column: "Column") -> str:
        """`[1.2, 3.4]`, or empty."""
        if self.low is None or self.high is None or self.value is None:
            return ""
        return f"[{column.show(self.low)}, {column.show(self.high)}]"


Found = Cell | Record | Effect | float | str | None
Source = Callable[..., Found]


@dataclass(frozen=True)
class Column:
    """A column: its name, where its cells come from, and how its numbers are written.

    Columns of the paper's numbers have names that begin with `paper`.
    """

    name: str
    of: Source  # given what the row is about, such as an extension
    show: Callable[[float], str] = whole
    measured: bool = False  # a number of ours, shown with the interval of its record
    optional: bool = False  # left out where no row has a value


@dataclass(frozen=True)
class Table:
    """A table of cells under a header."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def beside_paper(self) -> bool:
        """Whether the paper's numbers stand beside ours."""
        return any(name.startswith("paper") for name in self.header)

    @property
    def model(self) -> str:
        """The model's name, if every row has the same and there are other columns; else empty."""
        models = {str(row[0].value) for row in self.rows} if self.header[0] == "Model" else set()
        return models.pop() if len(models) == 1 and len(self.columns) > 1 else ""

    def numeric(self, place: int) -> bool:
        """Whether a column holds numbers alone."""
        return not any(isinstance(row[place].value, str) for row in self.rows)


# The first columns of most tables, in which a row is about an extension, and perhaps more.
EXTENSION = (
    Column("Model", lambda extension, *_: extension.base),
    Column("Window L'", lambda extension, *_: extension.window),
    Column("Method", lambda extension, *_: method_name(extension)),
    Column("Steps", lambda extension, *_: extension.steps),
)


def each(
    values: Iterable[Any],
    name: Callable[[Any], str],
    of: Source,
    show: Callable[[float], str] = whole,
    measured: bool = False,
    optional: bool = False,
) -> list[Column]:
    """One column per value, such as a window: it is called `name(value)` and shows `of(value, *row)` for each row."""
    return [Column(name(value), partial(of, value), show, measured, optional) for value in values]


def fill(rows: Iterable[Any], columns: Sequence[Column], caption: str = "") -> Table:
    """The table with these columns, of which optional ones without a value are left out.

    A row is what its cells are about; a tuple is handed to the columns as several arguments.
    """
    keys = [row if isinstance(row, tuple) else (row,) for row in rows]
    filled = [(column, [_cell(column, column.of(*key)) for key in keys]) for column in columns]
    kept = [
        (column, cells)
        for column, cells in filled
        if not column.optional or any(cell.value is not None for cell in cells)
    ]
    cells = zip(*(cells for _, cells in kept), strict=True)
    return Table(tuple(column for column, _ in kept), tuple(cells), caption)


def method_name(extension: Extension) -> str:
    """What the column Method says of an extension."""
    return "trained at L" if extension.control else extension.method_name


def _cell(column: Column, found: Found) -> Cell:
    """What was found as a cell. The interval of a record is shown in measured columns only."""
    if isinstance(found, Cell):
        return found
    if isinstance(found, Effect):
        return Cell(found.value, found.low, found.high, found.documents)
    if isinstance(found, Record):
        interval = (found.ci_low, found.ci_high, found.n_documents) if column.measured else ()
        return Cell(found.value, *interval)
    return Cell(found)
