"""What a results folder shows and what it says, from its records: one package a subject, in the order of a page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from position_interpolation.records import Record
from position_interpolation.report.base_tokens import part as base_tokens
from position_interpolation.report.benchmarks import part as benchmarks
from position_interpolation.report.govreport import part as govreport
from position_interpolation.report.heads import part as heads
from position_interpolation.report.passkey import part as passkey
from position_interpolation.report.perplexity import part as perplexity
from position_interpolation.report.positions import part as positions
from position_interpolation.report.section import Section
from position_interpolation.report.settings import part as settings
from position_interpolation.report.steps import part as steps
from position_interpolation.report.theory import part as theory
from position_interpolation.report.verdicts import Finding

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
FINDINGS: tuple[Callable[[Sequence[Record]], Iterator[Finding]], ...] = (
    perplexity.findings,
    steps.findings,
    passkey.findings,
    settings.findings,
    base_tokens.findings,
    positions.findings,
    benchmarks.findings,
    govreport.findings,
    heads.findings,
    theory.findings,
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


def findings(records: Sequence[Record]) -> list[Finding]:
    """Everything that the records say about the paper's claims, in the paper's order.

    A claim holds, or does not, only if the whole 95 % interval lies on one side; else it is within noise.
    """
    if trial(records):
        return []
    return [finding for find in FINDINGS for finding in find(records)]


def trial(records: Sequence[Record]) -> bool:
    """Whether a run only walked the path, on random words or for a step or two: then its numbers mean nothing."""
    return any(record.experiment == TRIAL or record.data.get("source") == "made_up" for record in records)


def _free(stem: str, taken: set[str], number: int = 1) -> str:
    """The file name itself, or the first of its numbered kind that no earlier section has."""
    name = stem if number == 1 else f"{stem}_{number}"
    return _free(stem, taken, number + 1) if name in taken else name
