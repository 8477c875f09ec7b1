"""Settings compared: tables of learning rates, of settings of methods, and of choices that the paper leaves open.

Rows are always one group of `select.under_settings`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

from position_interpolation.comparisons.rivals.tables import NAMED, Compared, caption, compared, ends, numbers
from position_interpolation.display.tables import EXTENSION, Cell, Column, Table, each, fill
from position_interpolation.evidence import comparison, seeds, select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension, by_steps, extension_of, ordered
from position_interpolation.evidence.lines import RATE
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import OVER_DOCUMENTS, perplexity_text

OF_METHODS, OF_TASKS = "method.", "task."
Setting = tuple[tuple[str, Any], ...]  # (key of the configuration, value) pairs


def setting_of(record: Record) -> Setting:
    """The record's setting, in a form that can be the key of a dictionary."""
    return tuple((record.settings or {}).items())


def beside_rate(record: Record) -> Setting:
    """The record's setting without its learning rate."""
    return tuple((key, value) for key, value in setting_of(record) if key != RATE)


def settings_of(rows: Sequence[Record]) -> list[Setting]:
    """The settings of some records in the order in which they were first measured."""
    return list(dict.fromkeys(map(setting_of, rows)))


def under(rows: Sequence[Record], setting: Setting) -> list[Record]:
    """The records of one setting."""
    return [record for record in rows if setting_of(record) == setting]


def settings_of_extension(rows: Sequence[Record], extension: Extension) -> list[Setting]:
    """The settings under which an extension was measured, in order."""
    return settings_of([record for record in rows if extension_of(record) == extension])


def key_text(key: str) -> str:
    """A key of the configuration for readers, without its group."""
    return key.rpartition(".")[2].replace("_", " ")


def setting_text(setting: Setting) -> str:
    """`schedule constant, clip 1.0`."""
    return ", ".join(f"{key_text(key)} {value}" for key, value in setting)


def is_sweep(rows: Sequence[Record]) -> bool:
    """Whether these records compare learning rates and nothing else, some of them at an extension's own window L'."""
    return all([key for key, _ in setting] == [RATE] for setting in settings_of(rows)) and bool(swept(rows))


def is_grid(rows: Sequence[Record]) -> bool:
    """Whether these records compare settings of methods and nothing else."""
    return all(key.startswith(OF_METHODS) for setting in settings_of(rows) for key, _ in setting)


def by_rate(rows: Sequence[Record]) -> dict[float, Setting]:
    """The settings of a sweep by ascending learning rate."""
    return dict(sorted((float(dict(setting)[RATE]), setting) for setting in settings_of(rows)))


def swept(rows: Sequence[Record]) -> list[list[Extension]]:
    """Families of extensions that differ in their steps alone, steps ascending; only those measured at their own L'."""
    return by_steps(item for item in ordered(rows) if select.find(rows, item, "perplexity", item.window, "token"))


def perplexity(rows: Sequence[Record], window: int, extension: Extension, setting: Setting) -> Record | None:
    """An extension's perplexity at a window under one setting."""
    return select.find(under(rows, setting), extension, "perplexity", window, "token")


def sweep_table(rows: Sequence[Record]) -> Table:
    """Perplexity at L' in a sweep (`is_sweep`): a row per extension and learning rate, a column per number of steps."""
    families, rates = swept(rows), by_rate(rows)

    def found(steps: int, last: Extension, rate: float) -> Record | None:
        return perplexity(rows, last.window, replace(last, steps=steps), rates[rate])

    counts = sorted({item.steps for family in families for item in family})
    columns = (
        *EXTENSION[:3],
        Column("Learning rate", lambda _, rate: f"{rate:g}"),
        *each(counts, "{} steps".format, found, perplexity_text, measured=True),
    )
    lines = product((family[-1] for family in families), rates)
    return fill(lines, columns, _caption(rows, "at the extension's own window L', by learning rate"))


def choices_table(rows: Sequence[Record]) -> Table:
    """Perplexity by window under each setting, and its change at L' against the setting measured first."""
    columns = (
        *EXTENSION,
        Column("Setting", lambda _, setting: setting_text(setting)),
        *each(select.windows(rows), str, partial(perplexity, rows), perplexity_text, measured=True),
        Column("Change at L'", partial(_change, rows), "{:+.2f} %".format, measured=True),
    )
    caption = _caption(rows, "by evaluation window, under each setting")
    caption += (
        " The change is against the setting measured first, which is ours: paired by document, and between two "
        "trainings its interval is widened by as much as seeds are known to differ."
    )
    lines = [(item, setting) for item in ordered(rows) for setting in settings_of_extension(rows, item)]
    return fill(lines, columns, caption)


def against(rows: Sequence[Record], extension: Extension, setting: Setting, other: Setting) -> Effect | None:
    """Perplexity at L' under a setting over that under another, paired by document.

    Two trainings are compared under one seed, so the interval is widened by the known spread of seeds.
    """
    losses = (comparison.document_losses(under(rows, one), extension, extension.window) for one in (setting, other))
    found = comparison.paired(*losses)
    trained = bool(extension.steps) and any(not key.startswith(OF_TASKS) for key, _ in {*setting} ^ {*other})
    return seeds.of_one_seed(found) if found is not None and trained else found


def _change(rows: Sequence[Record], extension: Extension, setting: Setting) -> Cell:
    """`against` the first setting, in per cent; blank for the first itself."""
    first = settings_of_extension(rows, extension)[0]
    ratio = None if setting == first else against(rows, extension, setting, first)
    if ratio is None:
        return Cell()
    change = ratio.mapped(lambda value: 100 * (value - 1))
    return Cell(change.value, change.low, change.high)


def _caption(rows: Sequence[Record], what: str) -> str:
    return f"Perplexity on {select.text(rows)} {what}; protocol token. {OVER_DOCUMENTS}"


@dataclass(frozen=True)
class Grid:
    """Extensions under settings of their methods; the base, if it was measured, has no setting."""

    rows: Sequence[Record]  # one group of `select.under_settings`, or `as_windows` of each setting
    keys: Sequence[Record]  # passkey retrieval by one rule, under the same settings

    @property
    def names(self) -> list[str]:
        """The keys of the configuration that vary, in the order in which the experiment names them."""
        return [key for key, _ in settings_of(self.rows)[0]]

    @property
    def lines(self) -> list[tuple[Compared, Setting]]:
        """Every extension at its L' under each of its settings."""
        base = [row for row in self.rows if row.method == "none"]  # beside every setting, for the ratios
        found = []
        for one in compared(self.rows, self.keys):
            for setting in settings_of_extension(self.rows, one.extension):
                rows, shown, keys = (under(records, setting) for records in (self.rows, one.shown, self.keys))
                found.append((replace(one, rows=[*rows, *base], shown=shown, keys=keys), setting))
        return found

    def values(self, name: str) -> list[float]:
        """The numbers that a key takes, ascending."""
        return sorted({value for setting in settings_of(self.rows) if (value := number(setting, name)) is not None})


def number(setting: Setting, name: str) -> float | None:
    """The number that a key is set to; None if it is not set, or not to a number."""
    value = dict(setting).get(name)
    return value if isinstance(value, int | float) else None


def grid_table(grid: Grid) -> Table:
    """One row per extension and setting; for a search the best comes first."""

    def at_reach(line: tuple[Compared, Setting]) -> float:
        found = line[0].perplexity(line[0].reach)
        return math.inf if found is None else found.value

    def value(name: str, _: Compared, setting: Setting) -> Any:
        return dict(setting).get(name)

    columns = (
        *NAMED,
        *each(grid.names, lambda name: key_text(name).capitalize(), value, "{:g}".format),
        *numbers(*ends(grid.rows)),
    )
    lines, said = grid.lines, caption(grid.rows, grid.keys)
    if not any(grid.values(name) for name in grid.names):  # a search over lists of numbers, which have no order
        lines.sort(key=at_reach)
        lists = ", ".join(f"{name}=[...]" for name in grid.names)
        said += f" The lowest {ends(grid.rows)[1]} first; {lists} takes a row's numbers."
    return fill(lines, columns, said)
