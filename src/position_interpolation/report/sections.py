"""What the page of a results folder shows, from its records: comparisons first, then each task."""

from collections.abc import Sequence
from dataclasses import replace

from position_interpolation.comparisons.base_tokens import page as base_tokens
from position_interpolation.comparisons.rivals import page as rivals
from position_interpolation.comparisons.steps import page as steps
from position_interpolation.comparisons.sweeps import page as sweeps
from position_interpolation.display.section import Section
from position_interpolation.evidence import seeds
from position_interpolation.evidence.extensions import extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.report import provenance
from position_interpolation.tasks.registry import modules

TRIAL = "smoke"  # the experiment that only tries out the code
# Comparisons come first, because the first section of a page stands for it on the overview.
COMPARISONS = (rivals.sections, steps.sections, sweeps.sections, base_tokens.sections)


def sections(records: Sequence[Record]) -> list[Section]:
    """The sections that the records allow, in the order of the page; nothing is drawn yet.

    Several seeds of a number are shown as one (`evidence/seeds.py`), except where seeds are compared.
    """
    pooled = seeds.pooled(records)
    note = _repeated(pooled)
    found: list[Section] = []
    taken: set[str] = set()
    tasks = (page.sections for page in modules("page").values())
    for build in (*COMPARISONS, *tasks, steps.tuning_curves):
        for section in build(records if build is rivals.sections else pooled):  # rivals are paired seed by seed
            drawings = tuple((_free(stem, taken), draw) for stem, draw in section.drawings)
            stem = _free(section.stem, taken)
            taken |= {stem, *(name for name, _ in drawings)}
            caption = section.table.caption + ("" if build in (rivals.sections, steps.tuning_curves) else note)
            table = replace(section.table, caption=caption)
            found.append(replace(section, table=table, stem=stem, drawings=drawings))
    return [replace(section, title=_title(section, found)) for section in found]


def _title(section: Section, among: Sequence[Section]) -> str:
    """The heading, and the first facts that tell this section from others of the same heading."""
    own = _facts(section)
    alike = [_facts(other) for other in among if other.title == section.title and other is not section]
    told: list[str] = []
    for place, fact in enumerate(own):
        others = [facts for facts in alike if facts[place] == fact]
        if len(others) < len(alike):
            told.append(fact)
        alike = others
    return ", ".join([section.title, *told])


def _facts(section: Section) -> tuple[str, ...]:
    """What sections of one heading may differ in."""
    first, most = section.rows[0], max(section.rows, key=lambda row: row.n_documents or 0)
    return (
        str(first.data.get("name")),
        f"{first.data.get('source')} text",
        provenance.counted(most),
        f"stride {first.stride}",
        f"windows up to {max(row.eval_window or 0 for row in section.rows)}",
        f"seed {first.seed}",
        f"text {(first.data.get('sha256') or 'none')[:8]}",
    )


def _repeated(pooled: Sequence[Record]) -> str:
    """What a caption says about rows that stand for several seeds; empty if there are none."""
    labels: dict[str, dict[str, None]] = {}
    for record in pooled:
        extension = extension_of(record)
        if record.seed is None and "seeds" in record.data and extension is not None:
            labels.setdefault(", ".join(map(str, record.data["seeds"])), {})[extension.label] = None
    return "".join(
        f" Over seeds {numbers} of tuning together, with intervals that cover the seeds, too: {'; '.join(own)}."
        for numbers, own in labels.items()
    )


def trial(records: Sequence[Record]) -> bool:
    """Whether a run only tried out the code, on random words or for a step or two, so that its numbers mean nothing."""
    return any(record.experiment == TRIAL or record.data.get("source") == "made_up" for record in records)


def _free(stem: str, taken: set[str], number: int = 1) -> str:
    """The file name itself, or with the first number that no earlier section has taken."""
    name = stem if number == 1 else f"{stem}_{number}"
    return _free(stem, taken, number + 1) if name in taken else name
