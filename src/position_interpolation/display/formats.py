"""Tables written out: csv for programs, markdown for pages, LaTeX for papers."""

import csv
import io
import math
from pathlib import Path

from position_interpolation.display.tables import Cell, Column, Table
from position_interpolation.evidence.words import BEYOND
from position_interpolation.machine import files

ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def text(cell: Cell, column: Column, separator: str = " ") -> str:
    """A cell for readers: the value, then its interval in brackets; empty if there is no value.

    Above 10^3 the interval is left out with the number itself.
    """
    if cell.value is None:
        return ""
    if isinstance(cell.value, str):
        return cell.value
    shown = column.show(cell.value)
    if cell.low is None or cell.high is None or shown == BEYOND:
        return shown
    return f"{shown}{separator}[{column.show(cell.low)}, {column.show(cell.high)}]"


def to_csv(table: Table) -> str:
    """Full numbers; behind a measured column follow its interval and how many documents or trials it has."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    header: list[str] = []
    for column in table.columns:
        header.append(column.name)
        if column.measured:
            header += [f"{column.name} low", f"{column.name} high", f"{column.name} n"]
    writer.writerow(header)
    for row in table.rows:
        line: list[str] = []
        for cell, column in zip(row, table.columns, strict=True):
            line.append(_plain(cell.value))
            if column.measured:
                line += [_plain(cell.low), _plain(cell.high), _plain(cell.n)]
        writer.writerow(line)
    return stream.getvalue()


def to_markdown(table: Table) -> str:
    """A GitHub table, numbers to the right, the caption below."""
    aligned = ["---:" if _numeric(table, place) else ":---" for place in range(len(table.columns))]
    lines = [table.header, aligned, *_texts(table)]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{body}\n\n{table.caption}\n"


def to_latex(table: Table) -> str:
    """A table in booktabs style, ready for \\input."""
    aligned = "".join("r" if _numeric(table, place) else "l" for place in range(len(table.columns)))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.caption)}}}",
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        _latex_row(list(table.header)),
        r"\midrule",
        *(_latex_row(row) for row in _texts(table)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(plain: str) -> str:
    """Text that LaTeX sets as it stands; powers of ten are set as mathematics."""
    pieces = plain.split(BEYOND)
    escaped = ["".join(ESCAPES.get(letter, letter) for letter in piece) for piece in pieces]
    return "$> 10^3$".join(escaped)


def save(table: Table, stem: Path) -> list[Path]:
    """Write `stem`.csv, .md and .tex."""
    written = []
    for suffix, render in ((".csv", to_csv), (".md", to_markdown), (".tex", to_latex)):
        path = stem.with_name(stem.name + suffix)
        files.write_text(path, render(table))
        written.append(path)
    return written


def _texts(table: Table) -> list[list[str]]:
    return [[text(cell, column) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]


def _numeric(table: Table, place: int) -> bool:
    return not any(isinstance(row[place].value, str) for row in table.rows)


def _latex_row(cells: list[str]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"


def _plain(value: float | str | None) -> str:
    """A csv field: blank if there is no value; infinity is only ever what the paper prints as > 10^3."""
    if value is None:
        return ""
    if isinstance(value, float) and math.isinf(value):
        return ">1000"
    return str(value)
