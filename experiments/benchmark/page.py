"""The page of all machines measured into one folder, and its figures, from their measurements alone."""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from position_interpolation.machine import files

from . import costs_page
from .costs_page import Measured, peaks, table
from .rounds import Row

Found = Mapping[str, list[Measured]]  # rows of one part by machine
NAMES = ("what", "precision", "side", "idea", "kind", "window")  # what tells a row of a part from the others


def write(results: Path) -> None:
    """Render what was measured so far."""
    machines = read(results)
    parts: dict[str, Callable[[str, dict[str, Measured], Path], str]] = {
        "machine": costs_page.limits, "perplexity": comparisons, "passkey": comparisons, "tuning": comparisons,
        "growth": costs_page.growth, "memory": costs_page.memory, "trials": tried,
    }  # fmt: skip
    sections = []
    for part, render in parts.items():
        having = {name: measured for name, measured in machines.items() if part in measured}
        if having:
            places = [where(measured["conditions"], measured[part]) for measured in having.values()]
            sections.append("\n\n".join([render(part, having, results), *places]))
    text = "\n\n".join([f"# Speed and memory: {'; '.join(machines)}", INTRODUCTION, *sections]) + "\n"
    files.write_text(results / "README.md", text)


def read(results: Path) -> dict[str, Measured]:
    """What each machine measured, by its name; the one with the most rows first."""
    found = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    found.sort(key=lambda measured: -sum(map(len, measured.values())))
    return {measured["conditions"]["machine"]: measured for measured in found}


INTRODUCTION = (
    "Ours against others' own functions on the same weights, text and precision, taking turns; made by "
    "`python -m experiments.benchmark`, every number from the json files beside this page, one a machine. A ratio is "
    "their seconds over ours: median of the rounds; in brackets the smallest, the largest and the number of rounds. "
    "What is compared, and what is not, is said in [experiments/benchmark](../../experiments/benchmark/README.md)."
)


def where(conditions: dict[str, str], rows: list[Measured]) -> str:
    """One line on what a section was measured on, with what, and when."""
    versions = [f"{name} {value}" for name, value in conditions.items() if name != "machine"]
    theirs = sorted({f"{row['side']} {row['version']}" for row in rows if row.get("version")})
    days = sorted({row["measured"] for row in rows})
    return f"_{', '.join([conditions['machine'], *versions, *theirs])}; {', '.join(days)}._"


def named(row: Measured) -> tuple[Any, ...]:
    """What tells a row of a part from the others."""
    return tuple(row.get(key) for key in NAMES)


def together(machines: dict[str, Measured], part: str) -> Iterable[dict[str, Measured]]:
    """Rows of the same name, by machine."""
    found: dict[tuple[Any, ...], dict[str, Measured]] = {}
    for machine, measured in machines.items():
        for row in measured[part]:
            found.setdefault(named(row), {})[machine] = row
    return found.values()


def comparisons(part: str, machines: dict[str, Measured], _: Path) -> str:
    """A table of ratios, a column a machine, each with what the ratio would be at the machine's peak."""
    rates = {name: peaks(measured) for name, measured in machines.items()}
    cells = []
    for rows in together(machines, part):
        own = {name: _row(data) for name, data in rows.items()}
        first = next(iter(own.values()))
        ratios = [cell for name in machines for cell in _compared(own.get(name), rates[name])]
        said = [[row.agreement for row in own.values()], [row.notes for row in own.values()]]
        once = ["<br>".join(dict.fromkeys(texts)) for texts in said]
        cells.append([first.what, first.precision, first.side, *ratios, *once])
    columns = [name for machine in machines for name in (machine, "at the peak")]
    header = ["what", "precision", "against", *columns, "agreement", "work"]
    return f"## {part.capitalize()}\n\n{table(header, cells)}\n\n{CEILING}"


def _row(data: Measured) -> Row:
    return Row(**{name: value for name, value in data.items() if name != "measured"})


def _compared(row: Row | None, rates: dict[str, float]) -> tuple[str, str]:
    """A machine's ratio, and what it would be at the machine's peak; empty where it was not measured."""
    if row is None:
        return "", ""
    ratio = statistics.median(row.ratios)
    if row.flops is None or row.precision not in rates:
        return spread(row.ratios), ""
    share = row.flops / statistics.median(row.ours) / rates[row.precision]
    return spread(row.ratios), f"{ratio / share:.1f}"


CEILING = (
    "At the peak: what the ratio would be if ours ran at the machine's own matrix-product rate, that is, without a "
    "softmax, a norm or a rotation. The rate was measured once and moves by a tenth from hour to hour, and this column "
    "with it. Seconds are in the json files."
)


def spread(ratios: list[float]) -> str:
    """The median; the smallest, the largest, and how many."""
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)})"


def tried(part: str, machines: dict[str, Measured], _: Path) -> str:
    """Ideas, by how much each helps on every machine, and what became of it."""
    cells = []
    for rows in together(machines, part):
        first = next(iter(rows.values()))
        gains = [spread(rows[name]["gains"]) if name in rows else "" for name in machines]
        cells.append([first["idea"], first["what"], *gains, first["kept"]])
    return (
        "## What was tried\n\nHow many times faster an idea makes the work named beside it, everything else as the "
        "engine has it: a batch's evaluation; of its tuning the head and loss alone, or the optimiser alone, but for "
        f"freed memory the whole step.\n\n{table(['idea', 'work', *machines, 'kept'], cells)}"
    )
