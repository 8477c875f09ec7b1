"""Settings of a method compared, such as the band that it interpolates: what each costs at L and brings at L'."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from position_interpolation.comparisons.rivals.measured import Compared, compared
from position_interpolation.comparisons.rivals.tables import NAMED, NUMBERS, caption
from position_interpolation.comparisons.sweeps.tables import Setting, key_text, settings_of, under, under_extension
from position_interpolation.display.tables import Table, each, fill
from position_interpolation.evidence.records import Record

OF_METHODS = "method."
Line = tuple[Compared, Setting]


@dataclass(frozen=True)
class Grid:
    """Extensions under settings of their methods; the base, if it was measured, has no setting."""

    rows: Sequence[Record]  # one group of `select.compared`
    keys: Sequence[Record]  # passkey retrieval by one rule, under the same settings

    @property
    def names(self) -> list[str]:
        """The keys of the configuration that vary, in the order in which the experiment names them."""
        return [key for key, _ in settings_of(self.rows)[0]]

    @property
    def lines(self) -> list[Line]:
        """Every extension at its L' under each of its settings."""
        base = [row for row in self.rows if row.method == "none"]  # beside every setting, for the ratios
        found: list[Line] = []
        for one in compared(self.rows, self.keys):
            for setting in settings_of(under_extension(self.rows, one.extension)):
                rows, shown, keys = (under(records, setting) for records in (self.rows, one.shown, self.keys))
                found.append((replace(one, rows=[*rows, *base], shown=shown, keys=keys), setting))
        return found

    def values(self, name: str) -> list[float]:
        """The numbers that a key takes, ascending."""
        return sorted({value for setting in settings_of(self.rows) if (value := number(setting, name)) is not None})


def is_grid(rows: Sequence[Record]) -> bool:
    """Whether these records compare settings of methods and nothing else."""
    return all(key.startswith(OF_METHODS) for setting in settings_of(rows) for key, _ in setting)


def number(setting: Setting, name: str) -> float | None:
    """The number that a key is set to; None if it is not set, or not to a number."""
    value = dict(setting).get(name)
    return value if isinstance(value, int | float) else None


def grid_table(grid: Grid) -> Table:
    """One row per extension and setting; for a search the best comes first."""
    columns = (
        *NAMED,
        *each(
            grid.names,
            lambda name: key_text(name).capitalize(),
            lambda name, _, setting: dict(setting).get(name),
            _plain,
        ),
        *NUMBERS,
    )
    lines, said = grid.lines, caption(grid.rows, grid.keys)
    if not any(grid.values(name) for name in grid.names):  # a search over lists of numbers, which have no order
        lines.sort(key=_extended)
        said += f" The lowest at L' first; {', '.join(f'{name}=[...]' for name in grid.names)} takes a row's numbers."
    return fill(lines, columns, said)


def _extended(line: Line) -> float:
    """Perplexity at L'; infinity where it was not measured."""
    found = line[0].perplexity(line[0].reach)
    return math.inf if found is None else found.value


def _plain(value: float) -> str:
    return f"{value:g}"
