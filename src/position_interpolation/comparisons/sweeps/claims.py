"""Checks of settings compared: which learning rate is best, and how much a choice that the paper leaves open moves."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from position_interpolation.comparisons.sweeps import tables
from position_interpolation.evidence import select
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.judging import ALIKE, Bar, Case, percent
from position_interpolation.evidence.lines import RATE
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural


def best_rate(evidence: Evidence) -> Iterator[Case]:
    """The rate of the lowest perplexity at L' against the next, for each extension under each of the other settings."""
    for rows in select.under_settings(evidence.records).values():
        rated = [row for row in rows if RATE in (row.settings or {})]
        for beside, own in select.gathered(rated, tables.beside_rate).items():
            for family in tables.swept(own):
                yield from _best(own, family, f", {tables.setting_text(beside)}" if beside else "")


def choices(evidence: Evidence, most: float) -> Iterator[Case]:
    """Each single choice made otherwise, at L', against ours, which is the setting measured first."""
    for rows in select.under_settings(evidence.records).values():
        if not tables.is_sweep(rows):
            yield from (case for item in ordered(rows) for case in _choices(rows, item, most))


def _best(rows: Sequence[Record], family: Sequence[Extension], beside: str) -> Iterator[Case]:
    """The best rate against the second, after the largest number of steps that two rates have.

    `beside` names what else is set.
    """
    rates = tables.by_rate(rows)
    for item in reversed(family):
        measured = {rate: tables.perplexity(rows, item.window, item, setting) for rate, setting in rates.items()}
        values = {rate: record.value for rate, record in measured.items() if record is not None}
        if len(values) < 2:
            continue
        first, second, *_ = sorted(values, key=lambda rate: values[rate])
        found = tables.against(rows, item, rates[first], rates[second])
        if found is not None:
            pair = f"{values[first]:,.2f} against {values[second]:,.2f}"
            edge = "; the best is at the edge of what was tried" if first in (min(values), max(values)) else ""
            detail = f"{pair} at {item.window}, {plural(found.documents, 'document')}{edge}"
            found = replace(found, sources=(rows[0].experiment,), detail=detail)
        name = f"{item.base}, {item.short_label} after {item.steps} steps{beside}: {first:g} against {second:g}"
        yield Case(name, found, Bar("below", 1.0, ALIKE), percent)
        return


def _choices(rows: Sequence[Record], item: Extension, most: float) -> Iterator[Case]:
    first, *others = tables.settings_of_extension(rows, item)
    for setting in others:
        changed = [(key, value) for key, value in setting if dict(first).get(key) != value]
        if len(changed) == 1:
            key, value = changed[0]
            found = tables.against(rows, item, setting, first)
            if found is not None:
                detail = f"{plural(found.documents, 'document')}, ours: {tables.setting_text(first)}"
                found = replace(found, sources=(rows[0].experiment,), detail=detail)
            choice = f"{tables.key_text(key)} {value} for {dict(first).get(key)}"
            name = f"{item.base}, {item.label}: {choice}, at {item.window}"
            yield Case(name, found, Bar("within", most), percent)
