"""Checks of settings compared: which learning rate is best, and how much a choice that the paper leaves open moves."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from position_interpolation.comparisons.sweeps import tables
from position_interpolation.comparisons.sweeps.tables import Setting, rate, under
from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.judging import ALIKE, Bar, Case, percent
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural


def best_rate(evidence: Evidence) -> Iterator[Case]:
    """The rate of the lowest perplexity at L' against the next, for each extension."""
    for rows in select.compared(evidence.records).values():
        if tables.is_sweep(rows):
            yield from (case for family in tables.swept(rows) for case in _best(rows, family))


def choices(evidence: Evidence, most: float) -> Iterator[Case]:
    """Each single choice made otherwise, at L', against ours, which is the setting measured first."""
    for rows in select.compared(evidence.records).values():
        if not tables.is_sweep(rows):
            yield from (case for item in ordered(rows) for case in _choices(rows, item, most))


def _best(rows: Sequence[Record], family: Sequence[Extension]) -> Iterator[Case]:
    """The best rate against the second, after the largest number of steps that two rates have."""
    for item in reversed(family):
        measured = {setting: tables.at_own_window(rows, item, setting) for setting in tables.by_rate(rows)}
        values = {setting: record.value for setting, record in measured.items() if record is not None}
        if len(values) < 2:
            continue
        first, second, *_ = sorted(values, key=lambda setting: values[setting])
        found = comparison.paired(
            comparison.document_losses(under(rows, first), item, item.window),
            comparison.document_losses(under(rows, second), item, item.window),
        )
        if found is not None:
            pair = f"{values[first]:,.2f} against {values[second]:,.2f}"
            detail = f"{pair} at {item.window}, {plural(found.documents, 'document')}{_edge(rows, first)}"
            found = replace(found, sources=(rows[0].experiment,), detail=detail)
        name = f"{tables.family_label(family)} after {item.steps} steps: {rate(first):g} against {rate(second):g}"
        yield Case(name, found, Bar("below", 1.0, ALIKE), percent)
        return


def _edge(rows: Sequence[Record], best: Setting) -> str:
    """A warning if the best rate is the lowest or highest tried."""
    tried = tables.by_rate(rows)
    return "; the best is at the edge of what was tried" if best in (tried[0], tried[-1]) else ""


def _choices(rows: Sequence[Record], item: Extension, most: float) -> Iterator[Case]:
    first, *others = tables.settings_of(tables.under_extension(rows, item))
    for setting in others:
        changed = [(key, value) for key, value in setting if dict(first).get(key) != value]
        if len(changed) == 1:
            found, (key, value) = tables.against_first(rows, item, setting), changed[0]
            if found is not None:
                detail = f"{plural(found.documents, 'document')}, ours: {tables.setting_text(first)}"
                found = replace(found, sources=(rows[0].experiment,), detail=detail)
            choice = f"{tables.key_text(key)} {value} for {dict(first).get(key)}"
            name = f"{item.base}, {item.label}: {choice}, at {item.window}"
            yield Case(name, found, Bar("within", most), percent)
