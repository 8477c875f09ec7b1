"""Where numbers are computed: device, precision and threads."""

import ctypes
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from position_interpolation.machine import distributed
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Compute

TOKENS_PER_FORWARD = 8192  # of all sequences of a batch together, by default
TOKENS_PER_FORWARD_ON_CPU = 4096  # in evaluation, so that more of the work fits the CPU's cache
COMPILATIONS = 128  # of the layers' code in one process; torch stops compiling after 8 by default
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as glibc's malloc.h has them
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def device(compute: Compute) -> str:
    """The device asked for; `auto` takes a GPU if there is one.

    Raises:
        UsageError: a GPU is asked for, and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if compute.device == "auto":
        return "cuda" if has_gpu else "cpu"
    if compute.device == "cuda" and not has_gpu:
        raise UsageError("compute.device=cuda but torch finds no GPU: set compute.device=cpu")
    return compute.device


def dtype(compute: Compute) -> str:
    """The precision asked for; `auto` takes bfloat16 if the hardware multiplies it (without, it is ~100x slower)."""
    if compute.dtype != "auto":
        return compute.dtype
    cpu = torch.cpu.get_capabilities()
    fast = device(compute) == "cuda" or cpu.get("avx512_bf16") or cpu.get("amx_bf16")
    return "bfloat16" if fast else "float32"


def tokens_per_forward(compute: Compute, *, tuning: bool = False) -> int:
    """How many positions one batch may hold, in tuning or in evaluation."""
    usual = TOKENS_PER_FORWARD if tuning or device(compute) == "cuda" else TOKENS_PER_FORWARD_ON_CPU
    return compute.tokens_per_forward or usual


def set_up(compute: Compute) -> None:
    """Set the number of threads, keep freed memory on a CPU, and join the other processes of the run, if any.

    Raises:
        UsageError: the machine lacks what the settings ask for: a GPU, or a compiler.
    """
    if compute.compile and device(compute) == "cpu" and not compiles_on_cpu():
        way_out = "install g++ (or set CXX to yours) and, on Debian, python3-dev"
        raise UsageError(f"compute.compile=true needs a C++ compiler and Python's headers: {way_out}")
    if compute.threads is not None:
        torch.set_num_threads(compute.threads)
    if device(compute) == "cpu":
        keep_freed_memory()
    distributed.start(device(compute))


def keep_freed_memory() -> None:
    """Let glibc keep the memory that tensors free for later ones; without glibc nothing is done.

    By default glibc returns large blocks to the system, which then clears the next tensor's memory page by page. That
    was measured to take two fifths of a tuning step's time outside matrix products. The price is fragmentation: at
    4096 tokens tuning holds up to 3 % more memory, and at 8192 an evaluation holds four fifths more above the model.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # take large blocks from the heap, like small ones
        mallopt(M_TRIM_THRESHOLD, -1)  # never shrink the heap


def out_of_memory(error: BaseException) -> bool:
    """Whether a GPU or the machine ran out of memory; for the latter torch has no exception but its words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def within_memory() -> Iterator[None]:
    """Say in one line that memory was not enough, whatever found it out.

    Raises:
        UsageError: something inside ran out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        way_out = "a lower compute.tokens_per_forward, in tuning compute.recompute=true, or a shorter context"
        raise UsageError(f"memory does not do ({reason}): set {way_out}; task=plan says what a run needs") from error


def compiles_on_cpu() -> bool:
    """Whether torch.compile will find its C++ compiler, and Python's headers for it."""
    compiler = shutil.which(os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++"))
    return compiler is not None and (Path(sysconfig.get_path("include")) / "Python.h").is_file()


def compile_layers(model: Any) -> None:
    """Compile a decoder's layers one by one: they share their code, so one compilation serves them all."""
    torch.compiler.config.recompile_limit = COMPILATIONS
    for layer in model.model.layers:
        layer.compile()


def description(compute: Compute) -> str:
    """The device in words, for records."""
    alone = torch.cuda.get_device_name() if device(compute) == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return alone if distributed.processes() == 1 else f"{distributed.processes()} x {alone}"
