"""Checks of perplexity by position inside one long forward: what happens at the edge of the window."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Effect, Stretch
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.judging import Bar, Case, Kind, times
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural

Part = Literal["inside", "past", "worst"]
NAMES: dict[Part, str] = {"inside": "inside {edge}", "past": "past {edge}", "worst": "in its worst block past {edge}"}


def stretches(
    evidence: Evidence, method: str, part: Part, kind: Kind, limit: float, than: Literal["inside", "base"]
) -> Iterator[Case]:
    """A stretch of an extension's positions against its own positions inside L, or against the base's same stretch."""
    for rows, extension in _extensions(evidence):
        if extension.method != method or extension.control:
            continue
        rival = _stretch(rows, extension.untouched, part) if than == "base" else _stretch(rows, extension, "inside")
        effect = _effect(rows, _stretch(rows, extension, part), rival)
        edge, source = extension.base_window, rows[0].data.get("source")
        other = "the base there" if than == "base" else f"inside {edge}"
        name = f"{extension.model}, {source} text: {extension.label} {NAMES[part].format(edge=edge)} against {other}"
        yield Case(name, effect, Bar(kind, limit), times)


def past_window(evidence: Evidence, model: str) -> Effect | None:
    """Perplexity of the untuned base at positions past L over that before L, from the first experiment that has it."""
    for rows, extension in _extensions(evidence):
        if (extension.model, extension.method, extension.steps) == (model, "none", 0):
            found = _effect(rows, _stretch(rows, extension, "past"), _stretch(rows, extension, "inside"))
            if found is not None:
                return found
    return None


def _extensions(evidence: Evidence) -> Iterator[tuple[list[Record], Extension]]:
    """Every extension, once per source of text, with the records of the first experiment that has it."""
    seen = set()
    for group, rows in select.positions(evidence.plain).items():
        for extension in ordered(rows):
            if (group.source, extension) not in seen:
                seen.add((group.source, extension))
                yield rows, extension


def _stretch(rows: list[Record], extension: Extension, part: Part) -> Stretch:
    if part == "worst":
        return comparison.worst_block(rows, extension)
    inside, past = comparison.stretches(rows, extension)
    return inside if part == "inside" else past


def _effect(rows: list[Record], over: Stretch, under: Stretch) -> Effect | None:
    found = comparison.blocks(over, under)
    if found is None:
        return None
    detail = f"perplexity by position up to {rows[0].eval_window}, {plural(found.documents, 'document')}"
    return replace(found, sources=(over.blocks[0].experiment,), detail=detail)
