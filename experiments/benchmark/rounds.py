"""Two or more sides of one comparison, taking turns in one process, so that a machine's moods meet all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

Side = TypeVar("Side")


@dataclass(frozen=True)
class Row:
    """One measured comparison; written as it is to measured.json."""

    part: str
    what: str
    side: str  # the peer
    precision: str
    theirs: list[float]  # seconds of each round
    ours: list[float]
    agreement: str
    flops: float | None = None  # of ours
    notes: str = ""

    @property
    def ratios(self) -> list[float]:
        """Their seconds over ours, round by round."""
        return [a / b for a, b in zip(self.theirs, self.ours, strict=True)]

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def take_turns(sides: Mapping[Side, Callable[[], Any]], rounds: int) -> tuple[dict[Side, list[float]], dict[Side, Any]]:
    """Seconds of each round of each side, and what each returned; a side may time itself with `Timed`."""
    seconds: dict[Side, list[float]] = {name: [] for name in sides}
    found: dict[Side, Any] = {}
    for _ in range(rounds):
        for name, work in sides.items():
            started = time.perf_counter()
            result = work()
            elapsed = time.perf_counter() - started
            if isinstance(result, Timed):
                result, elapsed = result.result, result.seconds
            seconds[name].append(elapsed)
            found[name] = result
    return seconds, found


@dataclass(frozen=True)
class Timed:
    """A result whose own clock counts: a training's seconds a step, without its start."""

    result: Any
    seconds: float


def middle(seconds: list[float]) -> float:
    """Median of the rounds."""
    return statistics.median(seconds)
