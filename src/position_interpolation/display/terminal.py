"""Tables on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table as Grid
from rich.text import Text

from position_interpolation.display import formats
from position_interpolation.display.tables import Table

LOG_WIDTH = 120  # characters, where the output is no terminal
WIDE = 100


def grid(table: Table, heading: str, width: int = 120) -> Grid:
    """A table for the terminal, kept narrow: intervals below their values, no column for a single model.

    Where `width` characters are few, the paper's numbers are left to the page.
    """
    models = {str(row[0].value) for row in table.rows if table.header[0] == "Model"}
    first = 1 if len(models) == 1 else 0
    shown = Grid(
        title=": ".join([*sorted(models)[:first], heading]),
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    places = [
        place
        for place, column in enumerate(table.columns)
        if place >= first and (width >= WIDE or not column.name.startswith("paper"))
    ]
    for column in (table.columns[place] for place in places):
        left = column.name in ("Model", "Method", "Number")
        shown.add_column(column.name, justify="left" if left else "right", no_wrap=left)
    for row in table.rows:
        texts = [formats.text(cell, column, "\n") for cell, column in zip(row, table.columns, strict=True)]
        shown.add_row(*(Text(texts[place]) for place in places))
    return shown
