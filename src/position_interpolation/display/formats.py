"""Tables written out: csv for programs, markdown for pages, LaTeX for papers."""

import csv
import io
import math
from pathlib import Path

from position_interpolation.display.tables import Cell, Column, Table
from position_interpolation.evidence.words import BEYOND
from position_interpolation.machine import files

ESCAPES = {letter: f"\\{letter}" for letter in "&%$#_{}"} | {
    letter: rf"\text{name}{{}}"
    for letter, name in (
        ("\\", "backslash"),
        ("~", "asciitilde"),
        ("^", "asciicircum"),
        ("<", "less"),
        (">", "greater"),
    )
}


def text(cell: Cell, column: Column, separator: str = " ") -> str:
    """A cell for readers: the value, then its interval in brackets; empty if there is no value.

    Above 10^3 the interval is left out with the number itself.
    """
    if cell.value is None or isinstance(cell.value, str):
        return cell.value or ""
    shown = column.show(cell.value)
    if cell.low is None or cell.high is None or shown == BEYOND:
        return shown
    return f"{shown}{separator}[{column.show(cell.low)}, {column.show(cell.high)}]"


def to_csv(table: Table) -> str:
    """Full numbers; behind a measured column follow its interval and how many documents or trials it has."""
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
    aligned = ["---:" if numeric else ":---" for numeric in _numeric(table)]
    lines = [table.header, aligned, *_texts(table)]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{body}\n\n{table.caption}\n"


def to_latex(table: Table) -> str:
    """A table in booktabs style, ready for \\input."""
    aligned = "".join("r" if numeric else "l" for numeric in _numeric(table))
    header, *rows = (" & ".join(map(escape, line)) + r" \\" for line in (table.header, *_texts(table)))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        header,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(plain: str) -> str:
    """Text that LaTeX sets as it stands; powers of ten are set as mathematics."""
    pieces = plain.split(BEYOND)
    return "$> 10^3$".join("".join(ESCAPES.get(letter, letter) for letter in piece) for piece in pieces)


def save(table: Table, stem: Path) -> list[Path]:
    """Write `stem`.csv, .md and .tex."""
    written = {".csv": to_csv(table), ".md": to_markdown(table), ".tex": to_latex(table)}
    for suffix, content in written.items():
        files.write_text(stem.with_name(stem.name + suffix), content)
    return [stem.with_name(stem.name + suffix) for suffix in written]


def _texts(table: Table) -> list[list[str]]:
    return [[text(cell, column) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]


def _numeric(table: Table) -> list[bool]:
    """Whether a column holds numbers alone."""
    return [not any(isinstance(row[place].value, str) for row in table.rows) for place in range(len(table.columns))]


def _plain(value: float | str | None) -> str:
    """A csv field: blank if there is no value; infinity is only ever what the paper prints as > 10^3."""
    if isinstance(value, float) and math.isinf(value):
        return ">1000"
    return "" if value is None else str(value)
