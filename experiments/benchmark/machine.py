"""What the machine can do, where a forward's time goes, and how its cost grows with the window."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from position_interpolation import compute
from position_interpolation.planning import forward_flops
from position_interpolation.scoring import scored_losses

from .inputs import Base, base, precisions

SIDE = 4096  # of the square matrices whose product is timed
COPIED = 1 << 28  # float32 numbers copied: 1 GiB read, 1 GiB written
WINDOWS = (1024, 2048, 4096, 8192, 16384)
SCORED = 256


@dataclass(frozen=True)
class Share:
    """A forward's seconds by what they went to."""

    what: str
    precision: str
    seconds: float
    products: float  # matrix products outside attention
    attention: float
    softmax: float  # inside attention
    flops: float

    @property
    def rest(self) -> float:
        """Norms, rotation, activation, residuals, loss, Python."""
        return self.seconds - self.products - self.attention


def seconds(work: Callable[[], Any], rounds: int) -> float:
    """Median after one call to warm up."""
    work()
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def peaks(rounds: int) -> dict[str, float]:
    """FLOPs a second of one large matrix product in each precision."""
    found = {}
    for precision in precisions():
        left, right = (torch.randn(SIDE, SIDE).to(compute.DTYPES[precision]) for _ in range(2))
        found[precision] = 2 * SIDE**3 / seconds(lambda left=left, right=right: left @ right, rounds)  # type: ignore[misc]
    return found


def bandwidth(rounds: int) -> float:
    """Bytes a second of a large copy, read and written."""
    source, target = torch.ones(COPIED), torch.empty(COPIED)
    return 2 * 4 * COPIED / seconds(lambda: target.copy_(source), rounds)


@torch.inference_mode()
def profiles(cache: Path, models: list[str]) -> list[Share]:
    """Forwards as evaluation runs them, under torch's profiler."""
    found = []
    for name, windows in (("tiny", (256, 4096)), ("smollm2", (2048, 8192))):
        if name not in models:
            continue
        own, precision = base(name, cache), precisions()[0]
        model = own.ours(precision)
        for window in windows:
            batch = max(1, 8192 // window)
            scored = min(SCORED, window // 8)
            ids = torch.tensor([own.tokens[i * scored : i * scored + window] for i in range(batch)])
            scored_losses(model, ids, scored)
            with profile(activities=[ProfilerActivity.CPU]) as recorded:
                started = time.perf_counter()
                scored_losses(model, ids, scored)
                elapsed = time.perf_counter() - started
            totals = {event.key: event.cpu_time_total / 1e6 for event in recorded.key_averages()}
            attention = totals.get("_CausalAttention", 0) + totals.get("aten::scaled_dot_product_attention", 0)
            found.append(
                Share(
                    f"{name}, {batch} x {window}", precision, elapsed, totals["aten::linear"], attention,
                    totals.get("aten::softmax", 0.0), float(batch * forward_flops(own.shape, window - 1, scored)),
                )
            )  # fmt: skip
            print(found[-1], flush=True)
    return found


@torch.inference_mode()
def growth(cache: Path, rounds: int) -> list[dict[str, float]]:
    """Seconds and FLOPs of one SmolLM2 forward at growing windows."""
    own: Base = base("smollm2", cache)
    model, found = own.ours(precisions()[0]), []
    for window in WINDOWS:
        ids = torch.tensor([own.tokens[:window]])
        took = seconds(lambda ids=ids: scored_losses(model, ids, SCORED), rounds if window <= 4096 else 1)  # type: ignore[misc]
        everything = float(forward_flops(own.shape, window - 1, SCORED))
        found.append({"window": window, "seconds": took, "flops": everything})
        print(found[-1], flush=True)
    return found
