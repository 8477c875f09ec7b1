"""What is done in a process of its own, forked from this one: how it ends, what it says, what it finds."""

import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from position_interpolation.settings.errors import UsageError, told

SECONDS = 60  # of a processor, that a process has
GIGABYTES = 8  # of address space
SEPARATOR = b"\0found:"


@dataclass(frozen=True)
class Outcome:
    """How a process ended, what it said, what it found."""

    status: int  # its exit status; less than 0: the signal that ended it
    said: str
    found: Any


def forked(act: Callable[[], Any], folder: Path, limits: Callable[[], None] = lambda: None) -> "Process":
    """Begin `act` in a process of its own, in a folder.

    Args:
        act: what is done.
        folder: where.
        limits: set what the process is not to exceed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    sys.stdout.flush()
    number = os.fork()
    if number:
        os.close(writing)
        return Process(number, reading)
    os.close(reading)
    os.dup2(writing, 2)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.dup2(1, 0)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115  (pytest has put another in its place)
    os.chdir(folder)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES << 30,) * 2)
    limits()
    os._exit(_carried_out(act, writing))


def _carried_out(act: Callable[[], Any], pipe: int) -> int:
    """The exit status that the entrypoint would have."""
    try:
        found = act()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except (UsageError, OSError) as error:
        print(told(error), file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 2
    sys.stderr.flush()
    os.write(pipe, SEPARATOR)
    view = memoryview(json.dumps(found).encode())
    while view:
        view = view[os.write(pipe, view) :]
    return 0


@dataclass(frozen=True)
class Process:
    """A process that `forked` began."""

    number: int
    pipe: int

    def ended(self) -> Outcome:
        """Wait for its end."""
        with os.fdopen(self.pipe, "rb") as stream:
            said, _, found = stream.read().partition(SEPARATOR)
        status = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])
        return Outcome(status, said.decode(errors="replace"), json.loads(found) if found else None)
