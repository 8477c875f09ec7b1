"""Tables for papers, by booktabs: in small type, and as several tabulars where one would not fit a column of 8 cm."""

import re
from collections.abc import Iterator, Sequence

from position_interpolation.display.tables import EXTENSION, Cell, Column, Table
from position_interpolation.evidence.words import BEYOND

COLUMN, GAP = 227.0, 4.0  # points: 8 cm, and the space between two columns of a table
WIDE, NARROW, NARROWS = 4.0, 2.2, frozenset(".,:;'|![]()-ijlt ")  # width of characters in points, at a size of 7
PAPER = "paper "
KEYS = frozenset(column.name for column in EXTENSION)
# What a caption says about intervals is shown only where they are.
INTERVALS = re.compile(r" ?In brackets[^.]*\.|; in brackets[^.;]*")
HEAD = r"""% Needs \usepackage{booktabs}. Each part is as wide as a column of 8 cm, without the intervals;
% with them, for a wider page: \newcommand{\intervals}[1]{#1} before \input.
\providecommand{\intervals}[1]{}
\begin{table}
\centering"""
NAMES = {"\\": "backslash", "~": "asciitilde", "^": "asciicircum", "<": "less", ">": "greater"}
ESCAPES = str.maketrans(
    {letter: f"\\{letter}" for letter in "&%$#_{}"} | {letter: rf"\text{name}{{}}" for letter, name in NAMES.items()}
)
Places = Sequence[int]  # of columns


def to_latex(table: Table, label: str = "table") -> str:
    """A table ready for \\input, and for \\ref by `tab:` and `label`: as few tabulars as fit, ours before the paper's.

    A single model is named in the caption, not in a column.
    """
    single = f"{table.model}: " if table.model else ""
    written = ["\n".join(_tabular(table, places)) for places in tabulars(table)]
    body = "\n\\par\\smallskip\n".join(written)
    return rf"""{HEAD}
\caption{{{_caption(single + table.caption)}}}
\label{{tab:{label}}}
\scriptsize
\setlength{{\tabcolsep}}{{2pt}}
{body}
\end{{table}}
"""


def tabulars(table: Table) -> list[Places]:
    """Which columns each tabular has: those that say what a row is about, and as many numbers as fit beside them."""
    first = 1 if table.model else 0
    keys = [place for place, name in enumerate(table.header[: len(KEYS)]) if name in KEYS and place >= first]
    keys = keys or [first]
    rest = [place for place in range(first, len(table.columns)) if place not in keys]
    ours = [place for place in rest if not table.header[place].startswith(PAPER)]
    found: list[list[int]] = []
    for kind in (ours, [place for place in rest if place not in ours]):
        room = 0.0
        for place in kind:
            room -= _width(table, place) + GAP
            if room < 0:
                found.append([*keys])
                room = COLUMN + GAP - sum(_width(table, one) + GAP for one in found[-1] + [place])
            found[-1].append(place)
    return list(found) or [keys]


def escape(plain: str) -> str:
    """Text that LaTeX prints as it stands; `> 10^3` is set as mathematics."""
    return "$> 10^3$".join(piece.translate(ESCAPES) for piece in plain.split(BEYOND))


def _tabular(table: Table, places: Places) -> Iterator[str]:
    """One tabular with the rows that have a number in it; with all rows if it has no columns of numbers."""
    yield rf"\begin{{tabular}}{{@{{}}{''.join('r' if table.numeric(place) else 'l' for place in places)}@{{}}}}"
    yield r"\toprule"
    if any(table.header[place].startswith(PAPER) for place in places):
        yield rf"\multicolumn{{{len(places)}}}{{@{{}}l@{{}}}}{{The paper}} \\"
    yield " & ".join(_heading(table.header[place]) for place in places) + r" \\"
    yield r"\midrule"
    numbers = [place for place in places if table.header[place] not in KEYS]
    for row in table.rows:
        if not numbers or any(row[place].value is not None for place in numbers):
            yield " & ".join(_cell(row[place], table.columns[place]) for place in places) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _heading(name: str) -> str:
    return "$L'$" if name == "Window L'" else escape(name.removeprefix(PAPER))


def _cell(cell: Cell, column: Column) -> str:
    interval = f"\\intervals{{ {escape(cell.interval(column))}}}" if cell.interval(column) else ""
    return escape(cell.shown(column)) + interval


def _caption(text: str) -> str:
    """A caption whose words about intervals are shown only with them."""
    return INTERVALS.sub(lambda words: rf"\intervals{{{words[0]}}}", escape(text))


def _width(table: Table, place: int) -> float:
    """The width of a column in points, without intervals."""
    column = table.columns[place]
    name = "L'" if column.name == "Window L'" else column.name.removeprefix(PAPER)
    texts = (name, *(row[place].shown(column) for row in table.rows))
    return max(sum(NARROW if letter in NARROWS else WIDE for letter in text) for text in texts)
