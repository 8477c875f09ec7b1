"""Section 2 as numbers: the task has no settings."""

from dataclasses import dataclass

from position_interpolation.settings.schema import Task


@dataclass
class TheoryTask(Task):
    """The numbers stated by Figures 2 and 5, and the bounds by head dimension; no model."""

    kind: str = "theory"
