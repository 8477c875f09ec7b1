"""A comparison for readers: a table and a conclusion on the terminal, and a page with every difference."""

import math
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table as Grid
from rich.text import Text

from position_interpolation.compare.differences import Comparison, Pair, folder
from position_interpolation.compare.tolerances import KINDS, same_questions, turned
from position_interpolation.display.formats import markdown_lines
from position_interpolation.evidence.extensions import extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, thousands
from position_interpolation.report import provenance

WIDTH = 80  # characters of the table
COLUMNS = ("Kind", "Values", "Equal", "Beyond", "Largest", "Where the largest is")
NUMERIC = COLUMNS[1:5]


def grid(comparison: Comparison) -> Grid:
    """One row per kind of number: how many both sides have, how many are equal, and how many differ beyond rounding."""
    shown = Grid(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), width=WIDTH)
    for name in COLUMNS:
        shown.add_column(name, justify="right" if name in NUMERIC else "left")
    for row, found in zip(_rows(comparison), comparison.by_kind().values(), strict=True):
        style = "bold red" if any(pair.beyond for pair in found) else ""
        shown.add_row(*(Text(cell, style=style) for cell in row))
    return shown


def conclusion(comparison: Comparison) -> str:
    """One line: whether the two agree, in values and in claims."""
    values, outside = len(comparison.pairs), len(comparison.outside)
    found = f"{thousands(outside) if outside else 'none'} of {plural(values, 'value')} beyond rounding"
    others = len(comparison.otherwise)
    claims = f"{others or 'none'} of {plural(comparison.judged, 'claim')} otherwise"
    return f"{'Agrees' if comparison.agrees else 'Differs'}: {found}, {claims}."


def remarks(comparison: Comparison, ours: str, theirs: str) -> list[str]:
    """What a reader should know beside the table, as sentences."""
    lines = [f"{note}." for note in comparison.notes]
    keys = [pair for pair in comparison.pairs if pair.kind.name == "success" and pair.theirs.at is not None]
    keys = [pair for pair in keys if same_questions(pair.ours, pair.theirs)]
    if asked := sum(pair.theirs.n_documents or 0 for pair in keys):
        found = sum(turned(pair.ours, pair.theirs) for pair in keys)
        otherwise = f"at least {thousands(found)} ({found / asked:.1%}) came out otherwise"
        lines.append(f"Passkeys: of {thousands(asked)} that both were asked for, {otherwise}.")
    alike = [pair for pair in comparison.pairs if pair.ours.seed == pair.theirs.seed]
    if texts := sum(pair.ours.data.get("sha256") != pair.theirs.data.get("sha256") for pair in alike):
        lines.append(f"{plural(texts, 'value')} with other prompts or another tuning text than theirs, under one seed.")
    if seeds := len(comparison.pairs) - len(alike):
        lines.append(f"{plural(seeds, 'value')} under different seeds: held to the spread of seeds, not to rounding.")
    for name, rows in ((ours, comparison.only_ours), (theirs, comparison.only_theirs)):
        if rows:
            counted = ", ".join(f"{place} {thousands(count)}" for place, count in sorted(rows.items()))
            lines.append(f"Only in {name}: {plural(rows.total(), 'row')}, not compared: {counted}.")
    return lines


def markdown(comparison: Comparison, ours: str, theirs: str) -> str:
    """The page: the table, the conditions of either side, and every difference."""
    text = [
        f"# {ours} against {theirs}\n",
        f"**{conclusion(comparison)}** *Beyond*: by more than rounding explains (tolerances: docs/running.md).\n",
        _table(COLUMNS, _rows(comparison)),
        *(f"- {line}" for line in remarks(comparison, ours, theirs)),
        "",
    ]
    if comparison.otherwise:
        text += ["## Claims that come out otherwise\n", *(f"- {line}" for line in comparison.otherwise), ""]
        text += ["Both sides are judged by the numbers that both have, which may be fewer than the ledger's.\n"]
    for name, side in ((ours, "ours"), (theirs, "theirs")):
        conditions = provenance.conditions([getattr(one, side) for one in comparison.pairs])
        text += [f"## What lies behind {name}\n", *conditions, ""]
    within = [pair for pair in comparison.pairs if pair.size and not pair.beyond]
    for name, pairs in (("Beyond", comparison.outside), ("Within", within)):
        text += [f"## {name} rounding\n\n{_differences(pairs)}"] if pairs else []
    return "\n".join(text)


def where(record: Record) -> str:
    """The place of a number in the results, without its metric: `quickstart/tiny: pg19, PI x4, untuned, W 512`."""
    extension = extension_of(record)
    named = [
        None if record.task == "theory" else record.task,
        None if extension is None else extension.label,
        *(f"{key}={value}" for key, value in (record.settings or {}).items()),
        None if record.base_tokens is None else f"base of {record.base_tokens / 1e6:g}M tokens",
        None if record.eval_window is None else f"W {record.eval_window}",
        record.protocol,
        None if record.at is None else f"at {record.at}",
        record.document if record.n_documents == 1 and record.data.get("ids") else None,
        f"seed {record.seed}" if record.seed else None,
    ]
    return ": ".join(filter(None, (folder(record), ", ".join(filter(None, named)))))


def _rows(comparison: Comparison) -> list[list[str]]:
    """The table: each kind with its largest difference."""
    rows = []
    for kind, pairs in comparison.by_kind().items():
        largest = max(pairs, key=lambda pair: (bool(pair.beyond), pair.size))
        differs = largest.size > 0 or bool(largest.beyond)
        equal = sum(pair.ours.value == pair.theirs.value for pair in pairs)
        beyond = sum(bool(pair.beyond) for pair in pairs)
        farthest = [_size(largest), f"{where(largest.theirs)}: {largest.theirs.metric}"] if differs else ["none", ""]
        rows.append([kind.name, *map(thousands, (len(pairs), equal, beyond)), *farthest])
    return rows


def _size(pair: Pair) -> str:
    """How far a pair lies apart, in the unit of its kind."""
    unit, size = pair.kind.unit, pair.size
    if math.isinf(size):
        return "no ratio"
    if unit == "share":
        return f"{100 * size:.2g} %" if size < 0.1 else f"{100 * size:.0f} %"
    if unit == "times":
        return f"x {size:.2g}"
    if unit == "nats":
        return f"{size:.2g} nats"
    if unit == "turned":
        return f"{turned(pair.ours, pair.theirs)} of {pair.theirs.n_documents}"
    return f"{size:.3g}"


def _differences(pairs: Iterable[Pair]) -> str:
    """A table of every pair, the largest differences of each kind first."""
    rows = [
        [pair.theirs.metric, where(pair.theirs), _value(pair.ours), _value(pair.theirs), _size(pair), pair.beyond]
        for pair in sorted(pairs, key=lambda pair: (KINDS.index(pair.kind), -pair.size))
    ]
    return _table(("Metric", "Where", "Ours", "Theirs", "Difference", "Why it is no rounding"), rows)


def _value(record: Record) -> str:
    if record.ci_low is None or record.ci_high is None:
        return f"{record.value:.6g}"
    return f"{record.value:.6g} [{record.ci_low:.6g}, {record.ci_high:.6g}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return markdown_lines([header, ["---"] * len(header), *rows])
