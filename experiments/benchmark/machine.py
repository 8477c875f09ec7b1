"""What the machine can do, where a forward's time goes, and how its cost grows with the window."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from position_interpolation.machine import compute
from position_interpolation.models.scoring import scored_losses
from position_interpolation.planning.formulas import forward_flops, training_flops
from position_interpolation.tuning import trainer

from .inputs import TOKENS_PER_FORWARD, Base, base, engines, precisions

SIDE = 4096  # of the square matrices whose product is timed
COPIED = 1 << 28  # float32 numbers copied: 1 GiB read, 1 GiB written
WINDOWS = (1024, 2048, 4096, 8192, 16384)
SCORED = 256
# Operations as the profiler calls them
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
ATTENTION = (
    "position_interpolation::causal_attention", "position_interpolation::causal_attention_backward",
    "aten::scaled_dot_product_attention", "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
)  # fmt: skip
LOSS = ("_TotalLoss", "_TotalLossBackward")


@dataclass(frozen=True)
class Share:
    """Seconds of a forward, or of a tuning step, by what they went to."""

    what: str
    precision: str
    seconds: float
    products: float  # matrix products of the linear layers, and the head where it is one of them
    attention: float
    loss: float  # a tuning step's head and loss
    softmax: float  # inside attention and loss
    multiplied: float  # matrix products of all three
    flops: float

    @property
    def rest(self) -> float:
        """Norms, rotation, activation, residuals, optimiser, Python."""
        return self.seconds - self.products - self.attention - self.loss


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


def profiles(cache: Path, models: list[str]) -> Iterator[Share]:
    """Forwards as evaluation runs them, and steps as tuning does, under torch's profiler."""
    forwards = (("tiny", 256), ("tiny", 4096), ("smollm2", 2048), ("smollm2", 8192))
    steps = (("tiny", 1024), ("tiny", 4096), ("smollm2", 2048))
    for measure, cases in ((forward, forwards), (step, steps)):
        for name, window in cases:
            if name in models:
                for engine in engines(precisions()[0]):
                    yield measure(base(name, cache), window, engine)


@torch.inference_mode()
def forward(own: Base, window: int, engine: str) -> Share:
    """Of one batch of sliding windows."""
    precision, batch, scored = precisions()[0], max(1, TOKENS_PER_FORWARD // window), min(SCORED, window // 8)
    model = own.ours(precision, compiled=engines(precision)[engine])
    ids = torch.tensor([own.tokens[i * scored : i * scored + window] for i in range(batch)])
    flops = float(batch * forward_flops(own.shape, window - 1, scored))
    return shares(f"forward, {own.name}, {batch} x {window}{engine}", flops, lambda: scored_losses(model, ids, scored))


def step(own: Base, window: int, engine: str = "") -> Share:
    """Of one batch of a tuning."""
    batch = max(1, 8192 // window) if own.name == "tiny" else 1
    ids = torch.tensor([own.tokens[i * window : (i + 1) * window] for i in range(batch)])
    flops = float(batch * training_flops(own.shape, window - 1))
    return shares(f"tuning, {own.name}, {batch} x {window}{engine}", flops, stepping(own, ids, engine))


def stepping(own: Base, ids: torch.Tensor, engine: str = "") -> Callable[[], None]:
    """A tuning step on a batch: forward, backward, clipping and AdamW, without the Trainer around them."""
    model = trainer.ready(own.ours("float32"), compiled=engines(precisions()[0])[engine])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    cast = precisions()[0] == "bfloat16"

    def work() -> None:
        inputs = {"input_ids": ids, "labels": ids}
        model.mean_loss(inputs, lambda: torch.autocast("cpu", torch.bfloat16, enabled=cast), None).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return work


def shares(what: str, flops: float, work: Callable[[], Any]) -> Share:
    """What the third call of some work spends where."""
    for _ in range(2):
        work()
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        started = time.perf_counter()
        work()
        elapsed = time.perf_counter() - started

    def spent(kinds: tuple[str, ...], outside: tuple[str, ...] = ()) -> float:
        """Seconds in operations of these kinds; one inside another counts once."""
        found = [event for event in recorded.events() if event.name in kinds and not _inside(event, kinds + outside)]
        return sum(event.cpu_time_total for event in found) / 1e6

    found = Share(
        what, precisions()[0], elapsed, spent(PRODUCTS, ATTENTION + LOSS), spent(ATTENTION), spent(LOSS),
        spent(("aten::_softmax",)), spent(PRODUCTS), flops,
    )  # fmt: skip
    print(found, flush=True)
    return found


def _inside(event: Any, kinds: tuple[str, ...]) -> bool:
    """Whether a profiled operation belongs to one of these kinds."""
    parent = event.cpu_parent
    return parent is not None and (parent.name in kinds or _inside(parent, kinds))


@torch.inference_mode()
def growth(cache: Path, rounds: int) -> Iterator[dict[str, float]]:
    """Seconds and FLOPs of one SmolLM2 forward at growing windows."""
    own: Base = base("smollm2", cache)
    model = own.ours(precisions()[0])
    for window in WINDOWS:
        ids = torch.tensor([own.tokens[:window]])
        took = seconds(lambda ids=ids: scored_losses(model, ids, SCORED), rounds if window <= 4096 else 1)  # type: ignore[misc]
        everything = float(forward_flops(own.shape, window - 1, SCORED))
        found = {"window": window, "seconds": took, "flops": everything}
        print(found, flush=True)
        yield found
