"""Peak memory of one evaluation forward and one tuning step, each in a process of its own."""

import argparse
import ctypes
import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from position_interpolation.machine import compute
from position_interpolation.models.scoring import scored_losses
from position_interpolation.settings.schema import Compute, Train

from . import tuning
from .inputs import base, precisions

LIMIT = 20 * 2**30  # bytes of address space for data: a case that needs more is recorded as too large
TUNED = (2048, 4096, 8192)
# The windows of each side; the Trainer compiles the whole model for minutes, so that one has to do.
TUNING = {"theirs": TUNED, "ours": TUNED, "theirs, compiled": (4096,), "ours, compiled": TUNED}
SCORED, SCORED_ROWS = 256, "theirs, logits of the scored rows"  # as a user of transformers may ask for them
EVALUATED = (1024, 2048, 4096, 8192, 16384)
CASES: dict[str, dict[str, tuple[int, ...]]] = {
    "evaluation": {"theirs": EVALUATED, SCORED_ROWS: EVALUATED, "ours": EVALUATED},
    "tuning": TUNING,
    "tuning, recomputed": TUNING,  # activations made again in the backward pass, on both sides
}


def measure(cache: Path) -> Iterator[dict[str, Any]]:
    """Peak bytes for SmolLM2, every side, at growing windows; None where LIMIT did not suffice.

    Of evaluation above the loaded model; of tuning with weights, gradients and moments. A side that fails otherwise is
    left where it failed, with a line on why: what the others took minutes for stays.
    """
    for kind, sides in CASES.items():
        for side, windows in sides.items():
            if side.endswith("compiled") and not compute.compiles_on_cpu():
                continue
            for window in windows:
                command = [sys.executable, "-m", "experiments.benchmark.memory", kind, side, str(window), str(cache)]
                ended = subprocess.run(command, capture_output=True, text=True, check=False)
                too_large = any(sign in ended.stderr for sign in ("MemoryError", "not enough memory", "can't allocate"))
                if ended.returncode != 0 and not too_large:
                    why = (ended.stderr.strip() or "killed").splitlines()[-1]
                    print(f"{kind}, {side}, {window} failed and is left out: {why}", file=sys.stderr)
                    break
                peak = json.loads(ended.stdout.splitlines()[-1]) if ended.returncode == 0 else None
                found = {"kind": kind, "side": side, "window": window, "bytes": peak}
                print(found, flush=True)
                yield found
                if peak is None:
                    break  # a longer window needs more


def _alone(kind: str, side: str, window: int, cache: Path) -> int:
    """Bytes that one case adds to the resident size of the process."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    own, precision = base("smollm2", cache), precisions()[0]
    if kind.startswith("tuning"):
        recipe = Train(steps=2, batch_size=1, learning_rate=2e-5, save_every=10**6, log_every=1)
        work = tuning.trainer if side.startswith("theirs") else tuning.tuned
        options = {"recompute": kind == "tuning, recomputed", "compiled": side.endswith("compiled")}
        before = _resident()
        work(own, window, recipe, 1, precision, lambda _: None, **options)
        return _peak() - before
    if side == "ours":
        compute.set_up(Compute(device="cpu"))
    model = own.ours(precision) if side == "ours" else own.plain(precision)
    ids = torch.tensor([own.tokens[:window]])
    for weight in model.parameters():
        weight.detach().sum()  # of a file that is mapped, a weight is in memory once it is read
    before = _resident()
    with torch.inference_mode():
        if side == "ours":
            scored_losses(model, ids, SCORED)
        else:
            asked = {"logits_to_keep": SCORED + 1, "use_cache": False} if side == SCORED_ROWS else {}
            logits = model(ids, **asked).logits[0, :-1].float()
            cross_entropy(logits, ids[0, -len(logits) :], reduction="none")
    return _peak() - before


def _peak() -> int:
    return _status("VmHWM")


def _resident() -> int:
    """Now, with the mark of the peak set back to it (Linux), and without what was freed before and kept for later.

    Loading frees weights of another precision: kept, they would hide as much of what the forward needs.
    """
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    """Bytes that the kernel's account of this process has under a name."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError(f"no {name} in /proc/self/status: memory is measured on Linux only")
    return int(found[1]) * 1024


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    for name in ("kind", "side", "window", "cache"):
        asked.add_argument(name)
    got = asked.parse_args()
    print(json.dumps(_alone(got.kind, got.side, int(got.window), Path(got.cache))))
