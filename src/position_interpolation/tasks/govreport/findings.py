"""Claims about summaries (Table 6): what tuning on summaries is worth, and whether it beats reading nothing."""

from collections.abc import Sequence
from dataclasses import replace

from position_interpolation.evidence import comparison, paper
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, above, judged, missing
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.govreport.tables import (
    LEAD,
    PRINTED,
    TUNED,
    UNTUNED,
    VARIANTS,
    Writer,
    called,
    score,
    writer_of,
    writers,
)

BEATS_LEAD = "PI fine-tuned on summaries beats the report's first tokens"
BEATS_UNTUNED = "Fine-tuning on summaries beats none"


def summaries(rows: Sequence[Record]) -> list[Finding]:
    """Every extension tuned on summaries against the lead baseline and against itself without that tuning.

    Args:
        rows: one group of `select.summaries`.
    """
    found = []
    for writer in writers(rows):
        if writer.protocol == TUNED and writer.extension is not None:
            lead, untuned = Writer(LEAD, writer.base, None), replace(writer, protocol=UNTUNED)
            rivals = [(BEATS_LEAD, lead), (BEATS_UNTUNED, untuned)]
            if writer.extension.method != "pi":
                del rivals[0]
            found += [_better(rows, writer, rival, claim, metric) for claim, rival in rivals for metric in PRINTED]
    return found or [missing(BEATS_LEAD), missing(BEATS_UNTUNED)]


def _better(rows: Sequence[Record], ours: Writer, other: Writer, claim: str, metric: str) -> Finding:
    """The claim that `ours` scores higher; the effect is the mean difference in points over the same documents."""
    left, right = score(rows, ours, metric), score(rows, other, metric)
    difference = _paired(rows, ours, other, metric)
    if left is None or right is None or difference is None:
        return missing(f"{claim} ({VARIANTS[metric]})")
    known, printed = called(rows), _printed(metric) if other.extension is None else ""
    interval = "" if difference.low is None else f" [{difference.low:+.2f}, {difference.high:+.2f}]"
    text = (
        f"{claim}: {VARIANTS[metric]} of {known[ours]} is {left.value:.2f} against {right.value:.2f} of "
        f"{known[other]}, {difference.value:+.2f}{interval} over {plural(difference.documents, 'document')}.{printed}"
    )
    return judged(text, difference, above(0.0))


def _paired(rows: Sequence[Record], left: Writer, right: Writer, metric: str) -> comparison.Ratio | None:
    """Mean difference with the interval of a bootstrap over documents, which both sides share; None without any."""
    ours, theirs = (_by_document(rows, writer, f"document_{metric}") for writer in (left, right))
    found = comparison.difference(ours, theirs)
    return None if found is None else comparison.Ratio(*found)


def _by_document(rows: Sequence[Record], writer: Writer, metric: str) -> dict[str, float]:
    return {
        str(record.data["ids"][0]): record.value
        for record in rows
        if record.metric == metric and writer_of(record) == writer
    }


def _printed(metric: str) -> str:
    """The paper's number of PI; it has neither baseline."""
    for row in paper.printed()["table6_govreport"]["rows"]:
        if "PI" in row["model"]:
            return f" The paper prints {row['rouge'][PRINTED.index(metric)]} for {row['model']}."
    return ""
