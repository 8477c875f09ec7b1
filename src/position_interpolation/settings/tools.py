"""Tools: what a run can do beside measuring."""

from dataclasses import dataclass

from omegaconf import MISSING

from position_interpolation.settings.bounds import number
from position_interpolation.settings.schema import Task


@dataclass
class ExportTask(Task):
    """Write the extension as a plain folder of weights, configuration and tokenizer."""

    kind: str = "export"
    folder: str = MISSING
    dtype: str = "float16"


@dataclass
class TokenizerTask(Task):
    """Train the tiny rung's tokenizer on the training mixture's text."""

    kind: str = "tokenizer"
    folder: str = MISSING
    vocabulary: int = number(4096, least=300)


@dataclass
class ReportTask(Task):
    """Render tables, figures and pages from rows.jsonl alone; runs no model."""

    kind: str = "report"
