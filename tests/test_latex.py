"""Tables for papers: each part fits a column of 8 cm, can be referred to, and shows intervals to who asks for them."""

import re
from pathlib import Path

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from test_report import LOSSES, PI, perplexities

from position_interpolation.display import formats
from position_interpolation.display.latex import escape, to_latex
from position_interpolation.display.tables import Column, fill
from position_interpolation.tasks.perplexity.page import perplexity_table

RESULTS = Path(__file__).parents[1] / "results"
COLUMN = 8 / 2.54 * 72.27  # TeX's points
ROMAN = FontProperties(family="cmr10")  # Computer Modern
SEVEN = 1.14  # the cut for 7 points is so much wider than that for 10 at the same size


def tabulars(written: str) -> list[list[list[str]]]:
    """The cells of each tabular, as they are printed by default: without intervals."""
    bare = re.sub(r"\\intervals\{[^{}]*(\$[^{}]*\{?3\}?\$[^{}]*)?\}", "", written)
    found = re.findall(r"\\begin\{tabular\}\{@\{\}[lr]+@\{\}\}\n(.*?)\\end\{tabular\}", bare, re.DOTALL)
    return [
        [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r" \\")]
        for body in found
    ]


def points(cell: str) -> float:
    plain = re.sub(r"[\\$]|\^", "", cell)
    return SEVEN * float(TextPath((0, 0), plain, size=7, prop=ROMAN).get_extents().x1) if plain else 0.0


def width(rows: list[list[str]]) -> float:
    """Points, with 2 on both sides of what lies between two columns."""
    columns = zip(*(row for row in rows if len(row) > 1), strict=True)
    return sum(max(map(points, column)) + 4 for column in columns) - 4


@pytest.mark.parametrize("name", ["table1_pg19/tiny/table", "table1_pg19/smollm2/table", "positions/tiny/positions"])
def test_each_part_fits_a_column(name: str) -> None:
    found = tabulars((RESULTS / f"{name}.tex").read_text())
    assert len(found) >= 2
    assert max(map(width, found)) <= COLUMN


def test_table_1_is_ours_then_the_papers() -> None:
    ours, paper = tabulars((RESULTS / "table1_pg19" / "tiny" / "table.tex").read_text())
    columns = len(ours[0]) - 3
    assert columns >= 4, "L to 8 L"
    assert ours[0] == ["$L'$", "Method", "Steps", *(str(256 << double) for double in range(columns))]
    assert paper[:2] == [
        [rf"\multicolumn{{{3 + columns}}}{{@{{}}l@{{}}}}{{The paper}}"],
        ["$L'$", "Method", "Steps", *(str(2048 << double) for double in range(columns))],
    ]
    assert ours[1] == ["256", "none", "0", *ours[1][3:]]


def test_every_number_of_the_table_is_in_one_of_its_parts() -> None:
    table = perplexity_table(perplexities(LOSSES))
    printed = {cell for rows in tabulars(to_latex(table)) for row in rows for cell in row}
    shown = {
        escape(cell.shown(column))
        for row in table.rows
        for cell, column in zip(row[1:], table.columns[1:], strict=True)
    }
    assert shown - {""} <= printed
    assert "$> 10^3$" in printed


def test_intervals_and_what_is_said_of_them_are_optional() -> None:
    written = to_latex(perplexity_table(perplexities({PI: LOSSES[PI]})))
    assert r"\providecommand{\intervals}[1]{}" in written
    assert re.search(r"& \d+\.\d\d\\intervals\{ \[\d+\.\d\d, \d+\.\d\d\]\}", written)
    (caption,) = re.findall(r"\\caption\{(.*)\}\n", written)
    assert r"\intervals{ In brackets the 95 \% interval of a bootstrap over documents.}" in caption
    assert caption.startswith("tiny: Perplexity on pg19"), "a single model needs no column"


def test_a_label_names_experiment_rung_and_table(tmp_path: Path) -> None:
    table = fill(["a"], [Column("Number", str)], "")
    formats.save(table, tmp_path / "table1_pg19" / "tiny" / "table")
    written = (tmp_path / "table1_pg19" / "tiny" / "table.tex").read_text()
    assert r"\label{tab:table1-pg19-tiny-table}" in written
    assert r"\usepackage{booktabs}" in written


def test_text_is_escaped() -> None:
    assert escape(r"50 % of a_b & {c} \ $ # ~ <") == (
        r"50 \% of a\_b \& \{c\} \textbackslash{} \$ \# \textasciitilde{} \textless{}"
    )
    written = to_latex(fill(["a & b"], [Column("k_max", str)], "100 %"))
    assert r"k\_max \\" in written
    assert r"a \& b \\" in written
    assert r"\caption{100 \%}" in written
