"""Sides of a comparison that are made ready in processes of their own, which read no library that they do not need."""

import os
import resource
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from position_interpolation.settings.errors import UsageError


def faulting(*, kept: bool) -> Callable[[], int]:
    """Pages that the system has to clear for a tensor of 256 MiB after others of that size were freed."""
    import torch

    from position_interpolation.machine import compute
    from position_interpolation.settings.schema import Compute

    if kept:
        compute.set_up(Compute(device="cpu"))

    def turn() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(1 << 28, dtype=torch.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    return turn


def unready() -> Any:
    raise UsageError("no clone")


def killing() -> Callable[[], Any]:
    return partial(os.kill, os.getpid(), signal.SIGKILL)


def waiting(file: Path) -> Callable[[], Any]:
    file.write_text(str(os.getpid()))
    return partial(time.sleep, 600)
