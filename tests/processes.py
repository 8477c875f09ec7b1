"""What is done in a process of its own: how it ends, what it says, what it finds.

It is forked, from this process or from one that has done nothing but read all libraries, which takes seconds: a whole
command then costs what it computes.
"""

import gc
import json
import multiprocessing
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from position_interpolation.settings.errors import UsageError, told

# What a run reads only when it needs it.
HEAVY = (
    "matplotlib.pyplot", "transformers.models.llama.modeling_llama", "transformers.trainer",
    *(f"position_interpolation.{name}" for name in ("app.run", "report.summary", "tuning.training", "display.drawing")),
    *(f"position_interpolation.tasks.{name}.measure" for name in ("perplexity", "passkey", "positions", "rotation")),
)  # fmt: skip
READ = multiprocessing.get_context("forkserver")  # torch forbids to fork from a process that has used some of it
READ.set_forkserver_preload([*HEAVY])

SECONDS = 60  # of a processor, that a process has
GIGABYTES = 8  # of address space
SEPARATOR = b"\0found:"


def begun(arguments: list[str], said: Path, **environment: str) -> BaseProcess:
    """Begin a command of the entrypoint, with libraries read.

    Args:
        arguments: its command line.
        said: a file for what it says.
        environment: beside what this process has.
    """
    said.parent.mkdir(parents=True, exist_ok=True)
    process = READ.Process(target=_entered, args=(arguments, said, {**os.environ, **environment}))
    process.start()
    return process


def _entered(arguments: list[str], said: Path, environment: dict[str, str]) -> None:
    from position_interpolation import __main__ as entry

    gc.freeze()  # what was read stays: to look for garbage in it would copy it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
    with said.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    entry.main()


def beside_each_other(number: int) -> list[dict[str, str]]:
    """What torchrun puts into the environment of each of so many processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(number)}
    shared |= {"LOCAL_WORLD_SIZE": str(number)}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(number)]


def completed(*processes: BaseProcess, said: Path) -> None:
    """Wait until all have ended, and ended well; where one did not, the others would wait for it."""
    while waiting := [process.sentinel for process in processes if process.is_alive()]:
        connection.wait(waiting)
        if any(process.exitcode for process in processes):
            for process in processes:
                process.kill()
    assert not any(process.exitcode for process in processes), said.read_text()


def children(process: int | None) -> list[int]:
    """The processes that this one has started and not yet waited for; Linux alone says so."""
    found = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    return [int(each) for part in found for each in part]


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
    gc.freeze()
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
