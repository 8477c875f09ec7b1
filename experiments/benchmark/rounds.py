"""Two or more sides of one comparison, taking turns, so that a machine's moods meet all of them."""

import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from position_interpolation.settings.errors import UsageError

Side = TypeVar("Side")
Names = tuple[str, str, str]  # of a row: what, precision, side


@dataclass(frozen=True)
class Row:
    """One measured comparison; written as it is to the machine's file."""

    part: str
    what: str
    side: str  # the peer
    precision: str
    theirs: list[float]  # seconds of each round
    ours: list[float]
    agreement: str
    flops: float | None = None  # of ours
    notes: str = ""
    version: str = ""  # of the peer

    @property
    def ratios(self) -> list[float]:
        """Their seconds over ours, round by round."""
        return [a / b for a, b in zip(self.theirs, self.ours, strict=True)]

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Timed:
    """A result whose own clock counts: a training's seconds a step, without its start."""

    result: Any
    seconds: float


def take_turns(sides: Mapping[Side, Callable[[], Any]], rounds: int) -> tuple[dict[Side, list[float]], dict[Side, Any]]:
    """Seconds of each round of each side, and what each returned; a side may time itself with `Timed`.

    Every other round in the opposite order, so that none always follows the same one.
    """
    seconds: dict[Side, list[float]] = {name: [] for name in sides}
    found: dict[Side, Any] = {}
    for number in range(rounds):
        for name, work in list(sides.items())[:: -1 if number % 2 else 1]:
            ended = timed(work)
            seconds[name].append(ended.seconds)
            found[name] = ended.result
    return seconds, found


def take_turns_apart(
    sides: Mapping[Side, Callable[[], Callable[[], Any]]], rounds: int
) -> tuple[dict[Side, list[float]], dict[Side, Any]]:
    """The same, each side in a process of its own that lasts for all rounds: what one keeps of memory is its own.

    A side is a function that makes ready in its process, once, and returns what is timed each round.

    Raises:
        UsageError: a side's process was killed.
    """
    spawned = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(ProcessPoolExecutor(1, spawned, initializer=_end_with_parent)) for name in sides
        }
        for name, ready in sides.items():
            _result(processes[name], _make_ready, ready)
        return take_turns({name: partial(_next_turn, process) for name, process in processes.items()}, rounds)


_work: list[Callable[[], Any]] = []  # of a side, in its own process


def _make_ready(ready: Callable[[], Callable[[], Any]]) -> None:
    _work.append(ready())


def _end_with_parent() -> None:
    """So that a benchmark that is killed leaves no process behind, whether it has work by then or not."""
    threading.Thread(target=_wait_for_its_end, daemon=True).start()


def _wait_for_its_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _turn() -> Timed:
    return timed(_work[0])


def _next_turn(process: Executor) -> Timed:
    turn: Timed = _result(process, _turn)
    return turn


def _result(process: Executor, work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return process.submit(work, *arguments).result()
    except BrokenExecutor as error:
        raise UsageError("a side's process was killed, for want of memory? What was measured before is kept") from error


def timed(work: Callable[[], Any]) -> Timed:
    """What some work returns and how long it took, by its own clock if it has one."""
    started = time.perf_counter()
    result = work()
    elapsed = time.perf_counter() - started
    return result if isinstance(result, Timed) else Timed(result, elapsed)


def middle(seconds: list[float]) -> float:
    """Median of the rounds."""
    return statistics.median(seconds)
