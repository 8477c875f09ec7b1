"""Bounds for numbers of the configuration, which stand beside their fields."""

import math
from dataclasses import field, fields
from typing import Any

from omegaconf import MISSING

from position_interpolation.settings.errors import UsageError


def number(default: Any = MISSING, *, least: float, most: float = math.inf) -> Any:
    """A dataclass field whose value is finite, at least `least` and at most `most`; None means not given."""
    return field(default=default, metadata={"least": least, "most": most})


def check(group: str, settings: Any) -> None:
    """Raise UsageError for the first field of a settings object that is outside its bounds."""
    for item in fields(settings):
        value = getattr(settings, item.name)
        if "least" not in item.metadata or value is None:
            continue
        if not item.metadata["least"] <= value < math.inf:
            raise UsageError(
                f"{group}.{item.name}={value} makes no sense: expected a number of at least {item.metadata['least']}"
            )
        if value > item.metadata["most"]:
            raise UsageError(f"{group}.{item.name}={value} makes no sense: expected at most {item.metadata['most']}")
