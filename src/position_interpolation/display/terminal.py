"""Tables on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from position_interpolation.display import formats
from position_interpolation.display.tables import Table

LOG_WIDTH = 120  # characters, where the output is no terminal
WIDE = 100  # characters that it takes to show the paper's numbers, too


def opened(console: Console | None = None) -> Console:
    """The terminal, or the given console; where the output is no terminal, as wide as a log."""
    console = console or Console()
    return console if console.is_terminal else Console(file=console.file, width=LOG_WIDTH)


def show(console: Console, table: Table, heading: str) -> None:
    """Print a table and its caption, kept narrow: intervals stand below their values, a single model in the heading.

    Where the terminal is narrower than `WIDE` characters, the paper's numbers are left to the page.
    """
    title = ": ".join(filter(None, (table.model, heading)))
    shown = Grid(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    kept = [
        (place, column)
        for place, column in enumerate(table.columns)
        if not (table.model and place == 0) and (console.width >= WIDE or not column.name.startswith("paper"))
    ]
    for _, column in kept:
        left = column.name in ("Model", "Method", "Number")
        shown.add_column(column.name, justify="left" if left else "right", no_wrap=left)
    for row in table.rows:
        shown.add_row(*(Text(formats.text(row[place], column, "\n")) for place, column in kept))
    console.print(shown)
    console.print(Text(table.caption, style="dim"), "")
