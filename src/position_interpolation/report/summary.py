"""The end of a run on the terminal: its tables, what was found, and where the files lie."""

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from position_interpolation.records import ROWS, read
from position_interpolation.report import formats
from position_interpolation.report.pages import title
from position_interpolation.report.parts import findings, sections, trial
from position_interpolation.report.tables import Table
from position_interpolation.report.verdicts import Verdict

STYLES: dict[Verdict, str] = {
    "holds": "bold green",
    "does not hold": "bold red",
    "within noise": "bold yellow",
    "not measured": "dim",
}


LOG_WIDTH = 120  # characters, where the output is no terminal
WIDE = 100


def print_summary(folders: Sequence[Path], console: Console | None = None) -> None:
    """Print what each results folder says; folders without records are passed over.

    Args:
        folders: results/<experiment>/<rung>.
        console: where to print; the terminal by default.
    """
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=LOG_WIDTH)
    for folder in folders:
        records = read(folder / ROWS)
        if not records:
            continue
        console.rule(f"[bold]{title(records)}")
        for part in sections(records):
            console.print(grid(part.table, part.title, console.width))
            console.print(Text(part.table.caption, style="dim"), "")
        if trial(records):
            console.print(Text("A trial of the path: its numbers mean nothing.", style="bold yellow"))
        for finding in findings(records):
            verdict = Text(f"{finding.verdict:>13}  ", style=STYLES[finding.verdict])
            line = Grid.grid()
            line.add_row(verdict, Text(finding.text))
            console.print(line)
        console.print(Text.assemble("\nPage, tables and figures: ", (str(folder / "README.md"), "bold")))


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
