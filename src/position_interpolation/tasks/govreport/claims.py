"""Checks of section 3.5, Table 6: ROUGE of the summaries of long reports."""

from collections.abc import Iterator, Sequence

from position_interpolation.evidence.effects import Evidence
from position_interpolation.evidence.judging import Bar, Case, points

NAMES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


def govreport(evidence: Evidence, sizes: Sequence[str], metrics: Sequence[str]) -> Iterator[Case]:
    """The PI model's lead over its rival: CoLT5 Base in the paper, the report's first tokens on a rung."""
    for metric in metrics:
        yield Case(f"{NAMES[metric]} above the rival's", evidence.rouge_lead(metric), Bar("above", 0.0), points)
