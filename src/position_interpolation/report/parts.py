"""What a results folder shows, from its records: one package a subject, in the order of a page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from position_interpolation.comparisons.base_tokens import page as base_tokens
from position_interpolation.comparisons.settings import page as settings
from position_interpolation.comparisons.steps import page as steps
from position_interpolation.display.section import Section
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.benchmarks import page as benchmarks
from position_interpolation.tasks.govreport import page as govreport
from position_interpolation.tasks.heads import page as heads
from position_interpolation.tasks.passkey import page as passkey
from position_interpolation.tasks.perplexity import page as perplexity
from position_interpolation.tasks.positions import page as positions
from position_interpolation.tasks.theory import page as theory

TRIAL = "smoke"  # the experiment that tries the path
# The first section of a page stands for it on the overview.
SECTIONS: tuple[Callable[[Sequence[Record]], Iterator[Section]], ...] = (
    steps.sections,
    settings.sections,
    base_tokens.sections,
    perplexity.sections,
    passkey.sections,
    positions.sections,
    benchmarks.sections,
    govreport.sections,
    heads.sections,
    theory.sections,
    steps.tuning_curves,
)


def sections(records: Sequence[Record]) -> list[Section]:
    """What the records allow to show, in the order of the page; drawing waits until it is asked for."""
    found: list[Section] = []
    taken: set[str] = set()
    for build in SECTIONS:
        for section in build(records):
            drawings = tuple((_free(stem, taken), draw) for stem, draw in section.drawings)
            stem = _free(section.stem, taken)
            taken |= {stem, *(name for name, _ in drawings)}
            found.append(replace(section, stem=stem, drawings=drawings))
    return found


def trial(records: Sequence[Record]) -> bool:
    """Whether a run only walked the path, on random words or for a step or two: then its numbers mean nothing."""
    return any(record.experiment == TRIAL or record.data.get("source") == "made_up" for record in records)


def _free(stem: str, taken: set[str], number: int = 1) -> str:
    """The file name itself, or the first of its numbered kind that no earlier section has."""
    name = stem if number == 1 else f"{stem}_{number}"
    return _free(stem, taken, number + 1) if name in taken else name
