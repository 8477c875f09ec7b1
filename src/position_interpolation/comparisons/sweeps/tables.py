"""Settings compared: a table of a sweep over learning rates, and one of choices that the paper leaves open."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from position_interpolation.display.tables import EXTENSION, Cell, Column, Table, each, fill
from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.lines import RATE
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import OVER_DOCUMENTS, perplexity_text

Setting = tuple[tuple[str, Any], ...]  # (key of the configuration, value) pairs


def setting_of(record: Record) -> Setting:
    """The record's setting, in a form that can be the key of a dictionary."""
    return tuple((record.settings or {}).items())


def settings_of(rows: Sequence[Record]) -> list[Setting]:
    """The settings of some records in the order in which they were first measured."""
    return list(dict.fromkeys(map(setting_of, rows)))


def under(rows: Sequence[Record], setting: Setting) -> list[Record]:
    """The records of one setting."""
    return [record for record in rows if setting_of(record) == setting]


def is_sweep(rows: Sequence[Record]) -> bool:
    """Whether these records compare learning rates and nothing else, some of them at an extension's own window L'."""
    return all([key for key, _ in setting] == [RATE] for setting in settings_of(rows)) and bool(swept(rows))


def by_rate(rows: Sequence[Record]) -> list[Setting]:
    """The settings of a sweep by ascending rate."""
    return sorted(settings_of(rows), key=rate)


def rate(setting: Setting) -> float:
    """The learning rate of a sweep's setting."""
    return float(dict(setting)[RATE])


def swept(rows: Sequence[Record]) -> list[list[Extension]]:
    """Families of extensions that differ in their steps alone, steps ascending; only those measured at their own L'."""
    found: dict[Extension, list[Extension]] = {}
    for item in ordered(rows):
        if select.find(rows, item, "perplexity", item.window, "token") is not None:
            found.setdefault(item.untuned, []).append(item)
    return list(found.values())


def at_own_window(rows: Sequence[Record], extension: Extension, setting: Setting) -> Record | None:
    """Perplexity at the extension's own window L' under one setting."""
    return select.find(under(rows, setting), extension, "perplexity", extension.window, "token")


def sweep_table(rows: Sequence[Record]) -> Table:
    """Perplexity at L': one row per extension and learning rate, one column per number of steps.

    The rows are one group of `select.compared` for which `is_sweep` holds.
    """
    families = swept(rows)
    counts = sorted({item.steps for family in families for item in family})
    columns = (
        *EXTENSION[:3],
        Column("Learning rate", lambda _, setting: f"{rate(setting):g}"),
        *each(
            counts,
            "{} steps".format,
            lambda count, last, setting: at_own_window(rows, replace(last, steps=count), setting),
            perplexity_text,
            measured=True,
        ),
    )
    lasts = [family[-1] for family in families]
    caption = _caption(rows, "at the extension's own window L', by learning rate")
    return fill(product(lasts, by_rate(rows)), columns, caption)


def choices_table(rows: Sequence[Record]) -> Table:
    """Perplexity by window under each setting, and its change at L' against the setting measured first.

    The rows are one group of `select.compared`.
    """
    columns = (
        *EXTENSION,
        Column("Setting", lambda _, setting: setting_text(setting)),
        *each(
            select.windows(rows),
            str,
            lambda window, item, setting: select.find(under(rows, setting), item, "perplexity", window, "token"),
            perplexity_text,
            measured=True,
        ),
        Column("Change at L'", partial(_change, rows), "{:+.2f} %".format, measured=True),
    )
    caption = _caption(rows, "by evaluation window, under each setting")
    caption += " The change is paired by document, against the setting measured first, which is ours."
    lines = [(item, setting) for item in ordered(rows) for setting in settings_of(under_extension(rows, item))]
    return fill(lines, columns, caption)


def under_extension(rows: Sequence[Record], extension: Extension) -> list[Record]:
    """The records of one extension."""
    return [record for record in rows if extension_of(record) == extension]


def against_first(rows: Sequence[Record], extension: Extension, setting: Setting) -> comparison.Effect | None:
    """Perplexity at L' under a setting over that under the first; None for the first itself, or if nothing pairs."""
    first = settings_of(under_extension(rows, extension))[0]
    if setting == first:
        return None
    ours, other = (
        comparison.document_losses(under(rows, one), extension, extension.window) for one in (setting, first)
    )
    return comparison.paired(ours, other)


def setting_text(setting: Setting) -> str:
    """`schedule constant, clip 1.0`."""
    return ", ".join(f"{key_text(key)} {value}" for key, value in setting)


def key_text(key: str) -> str:
    """A key of the configuration for readers, without its group."""
    return key.rpartition(".")[2].replace("_", " ")


def family_label(family: Sequence[Extension]) -> str:
    """What an extension is called whatever its steps."""
    return f"{family[-1].base}, {family[-1].short_label}"


def _caption(rows: Sequence[Record], what: str) -> str:
    return f"Perplexity on {select.text(rows)} {what}; protocol token. {OVER_DOCUMENTS}"


def _change(rows: Sequence[Record], extension: Extension, setting: Setting) -> Cell:
    """`against_first` in per cent."""
    ratio = against_first(rows, extension, setting)
    if ratio is None:
        return Cell()
    change = ratio.mapped(lambda value: 100 * (value - 1))
    return Cell(change.value, change.low, change.high)
