"""The end of a run on the terminal: its tables, what was found, and where the files lie."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from position_interpolation.display import terminal
from position_interpolation.evidence.judging import Verdict
from position_interpolation.evidence.records import ROWS, read
from position_interpolation.report import judge
from position_interpolation.report.pages import title
from position_interpolation.report.sections import sections, trial

STYLES: dict[Verdict, str] = {
    "holds": "bold green",
    "does not hold": "bold red",
    "no difference": "bold cyan",
    "within noise": "bold yellow",
    "not measured": "dim",
}


def print_summary(folders: Sequence[Path], console: Console | None = None) -> None:
    """Print what each results folder says; folders without records are skipped. Prints to the terminal by default."""
    console = terminal.opened(console)
    for folder in folders:
        records = read(folder / ROWS)
        if not records:
            continue
        console.rule(f"[bold]{title(records)}")
        for section in sections(records):
            terminal.show(console, section.table, section.title)
        if trial(records):
            console.print(Text("A trial of the path: its numbers mean nothing.", style="bold yellow"))
        else:
            for item in judge.on_page(records, judge.beside(folder), folder.name):
                verdict = Text(f"{item.outcome.verdict:>13}  ", style=STYLES[item.outcome.verdict])
                line = Grid.grid()
                line.add_row(verdict, Text(f"{item.claim.statement} {item.numbers}"))
                console.print(line)
        console.print(Text.assemble("\nPage, tables and figures: ", (str(folder / "README.md"), "bold")))
