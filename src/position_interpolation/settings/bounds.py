"""What a field of the configuration takes, declared beside it: numbers within bounds, or some words."""

import math
from dataclasses import field
from typing import Any

from omegaconf import MISSING


def number(default: Any = MISSING, *, least: float, most: float = math.inf) -> Any:
    """A dataclass field whose value is finite, at least `least` and at most `most`; None means not given."""
    return field(default=default, metadata={"least": least, "most": most})


def numbers(*default: float, least: float) -> Any:
    """A dataclass field that is a list of finite numbers, each of at least `least`."""
    return field(default_factory=lambda: list(default), metadata={"least": least, "most": math.inf})


def one_of(*choices: str, default: str) -> Any:
    """A dataclass field whose value is one of some words."""
    return field(default=default, metadata={"choices": choices})
