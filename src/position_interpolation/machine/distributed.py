"""Several processes, one run: torchrun starts them, each computes its share, and only the first one writes.

All of them go through the same jobs in the same order. Whatever decides how to go on, such as whether a number is known
already, is looked up by the first and told to the others, so that none waits for one that took another branch.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from position_interpolation.settings.derived import sequence
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config

# How long processes wait for each other: the first may tokenise gigabytes. torchrun notices by itself if one dies.
PATIENCE = timedelta(hours=12)
Value = TypeVar("Value")
Key = TypeVar("Key")


def processes() -> int:
    """How many processes there are, which torchrun says in the environment.

    Raises:
        UsageError: the environment holds something else than a number.
    """
    return _number("WORLD_SIZE", 1)


def is_first() -> bool:
    """Whether this is the process that writes."""
    return _number("RANK", 0) == 0


def _number(name: str, usual: int) -> int:
    text = os.environ.get(name, str(usual))
    if not text.isdecimal():
        raise UsageError(f"{name}={text} in the environment: expected a number, as torchrun sets it; unset it")
    return int(text)


def start(device: str) -> None:
    """Join the other processes, if there are any: over nccl with a GPU each, else over gloo."""
    import torch  # imported here: it takes seconds, and a refused command line needs none of it
    from torch import distributed

    if processes() == 1 or distributed.is_initialized():
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # Python objects are always exchanged over gloo, by way of the CPU.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo", timeout=PATIENCE)


def leave() -> None:
    """Exit with success, at once, if there are several processes.

    Otherwise torch's caches of split tensors keep the group until the interpreter is gone, and gloo's threads, which
    still run then, sometimes abort a process that had ended well (pytorch issue 190489).
    """
    if processes() > 1:
        wait()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def wait() -> None:
    """Wait until every process has come here."""
    if processes() == 1:
        return
    from torch import distributed

    if distributed.is_initialized():  # not the case if there was nothing to run
        distributed.barrier()


def agreed(find: Callable[[], Value]) -> Value:
    """What the first process finds, told to all of them."""
    return _of_all(find() if is_first() else None)[0]  # type: ignore[return-value]


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process through alone; the others find what it left in the cache."""
    if not is_first():
        wait()
    yield
    if is_first():
        wait()


def is_mine(index: int) -> bool:
    """Whether a numbered piece of work is this process's share."""
    return index % processes() == _number("RANK", 0)


def merged(share: dict[Key, Value]) -> dict[Key, Value]:
    """The shares of all processes."""
    return {key: value for each in _of_all(share) for key, value in each.items()}


def _of_all(value: Value) -> list[Value]:
    """What each process has, in their order."""
    if processes() == 1:
        return [value]
    from torch import distributed

    found = [value] * processes()
    distributed.all_gather_object(found, value)
    return found


def check_processes(config: Config, processes: int) -> None:
    """Refuse a step whose sequences do not divide among the processes, or among the groups that share a sequence."""
    train, sharing = config.train, config.compute.context_parallel
    if train.optimizer == "muon" and processes > 1:
        raise UsageError("train.optimizer=muon works in one process: choose adamw, or start one")
    if processes % sharing or sequence(config) % sharing or (train.chunk is not None and sharing > 1):
        fault = f"compute.context_parallel={sharing} processes cannot share a training window"
        expected = f"a divisor of the {processes} processes and of the {sequence(config)} tokens, and no train.chunk"
        raise UsageError(f"{fault}: expected {expected}")
    if train.batch_size % (processes // sharing):
        among = f"{processes} processes" if sharing == 1 else f"{processes // sharing} groups of {sharing} processes"
        raise UsageError(f"train.batch_size={train.batch_size} sequences do not divide among {among}: change either")
