"""Names that carry a setting, so that the records of one setting do not take the place of another's.

`heldout@learning_rate=0.001` is the task heldout under one of the settings that an experiment compares; `tiny-8M` is a
base stopped after 8 million training tokens. Such records are compared with each other and stay out of plain tables.
"""

import re

from position_interpolation.evidence.records import Record

STOPPED = re.compile(r"(?P<family>.+)-(?P<number>\d+(\.\d+)?)(?P<unit>[KMB])")
UNITS = {"K": 10**3, "M": 10**6, "B": 10**9}


def task_of(record: Record) -> str:
    """The task without its settings."""
    return record.task.partition("@")[0]


def settings_of(record: Record) -> dict[str, str]:
    """The settings that the task's name carries, as text; empty if it carries none."""
    carried = record.task.partition("@")[2]
    return dict(part.partition("=")[::2] for part in carried.split(",") if part)


def tokens_of(model: str) -> int | None:
    """Training tokens after which a base was stopped; None if its name does not say."""
    found = STOPPED.fullmatch(model)
    return None if found is None else round(float(found["number"]) * UNITS[found["unit"]])


def family_of(model: str) -> str:
    """The base without its number of tokens."""
    found = STOPPED.fullmatch(model)
    return model if found is None else found["family"]


def plain(record: Record) -> bool:
    """Whether a record carries no such setting."""
    return "@" not in record.task and tokens_of(record.model) is None
