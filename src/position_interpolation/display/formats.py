"""Tables written out: csv for programs, markdown for pages, LaTeX (`latex`) for papers."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from position_interpolation.display.latex import to_latex
from position_interpolation.display.tables import Cell, Column, Table
from position_interpolation.machine import files


def text(cell: Cell, column: Column, separator: str = " ") -> str:
    """A cell for readers: the value, then its interval in brackets; empty if there is no value."""
    return separator.join(filter(None, (cell.shown(column), cell.interval(column))))


def to_csv(table: Table) -> str:
    """Full numbers; each measured column is followed by its interval and its number of documents or trials."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    behind = [("", " low", " high", " n") if column.measured else ("",) for column in table.columns]
    writer.writerow(name + end for name, ends in zip(table.header, behind, strict=True) for end in ends)
    for row in table.rows:
        numbers = ((cell.value, cell.low, cell.high, cell.n) for cell in row)
        writer.writerow(
            _plain(number) for of_cell, ends in zip(numbers, behind, strict=True) for number in of_cell[: len(ends)]
        )
    return stream.getvalue()


def to_markdown(table: Table) -> str:
    """A GitHub table, numbers to the right, the caption below."""
    aligned = ["---:" if table.numeric(place) else ":---" for place in range(len(table.columns))]
    rows = ([text(cell, column) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows)
    return f"{markdown_lines([table.header, aligned, *rows])}\n{table.caption}\n"


def markdown_lines(lines: Iterable[Sequence[str]]) -> str:
    """The lines of a GitHub table; the second must be the dashes below the header."""
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def save(table: Table, stem: Path) -> list[Path]:
    """Write `stem`.csv, .md and .tex; the label in the last is made of experiment, rung and name."""
    label = "-".join(stem.parts[-3:]).replace("_", "-")
    written = {".csv": to_csv(table), ".md": to_markdown(table), ".tex": to_latex(table, label)}
    for suffix, content in written.items():
        files.write_text(stem.with_name(stem.name + suffix), content)
    return [stem.with_name(stem.name + suffix) for suffix in written]


def _plain(value: float | str | None) -> str:
    """A csv field, blank if there is no value; infinity can only be what the paper prints as > 10^3."""
    if isinstance(value, float) and math.isinf(value):
        return ">1000"
    return "" if value is None else str(value)
