"""What was tried to be faster: each with and without, in turns; what the engine keeps is what helped."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import LinearCrossEntropyOptions
from torch.nn.functional import cross_entropy, linear_cross_entropy
from transformers import DynamicCache

from position_interpolation.machine import compute
from position_interpolation.models import loading
from position_interpolation.models.scoring import greedy_scores, scored_losses
from position_interpolation.tuning import loss

from . import machine
from .inputs import TOKENS_PER_FORWARD, Base, base, precisions
from .rounds import Timed, middle, take_turns, take_turns_apart

SCORED = 32


@dataclass(frozen=True)
class Trial:
    """One idea: seconds of the same work without it and with it."""

    idea: str
    what: str
    kept: str  # where the engine has it, or why it has not
    without: list[float]
    having: list[float]

    @property
    def gains(self) -> list[float]:
        """How many times faster it makes the work, round by round."""
        return [a / b for a, b in zip(self.without, self.having, strict=True)]


def measure(cache: Path, rounds: int, names: list[str]) -> Iterator[dict[str, Any]]:
    """Every trial, on one batch of windows or one prompt of each model."""
    for trial in _measured(cache, rounds, names):
        print(f"{trial.what}: {trial.idea}: {middle(trial.gains):.2f}x", flush=True)
        yield {**asdict(trial), "gains": trial.gains}


def _measured(cache: Path, rounds: int, names: list[str]) -> Iterator[Trial]:
    for name, window, batch in (("tiny", 256, 32), ("tiny", 1024, 8), ("smollm2", 2048, 1)):
        if name in names:
            own = base(name, cache)
            what = f"{name}, {batch} x {window}"
            ids = torch.tensor(windows(own, window, batch))
            yield from _timed(_evaluation(own, ids), f"evaluation, {what}", rounds)
            yield from _timed(_tuning(own, ids), f"tuning, {what}", rounds)
            for kind in ("evaluation", "tuning"):
                alone = partial(with_memory, kind, own, window, batch)
                sides = {"without": partial(alone, kept=False), "having": partial(alone, kept=True)}
                seconds, _ = take_turns_apart(sides, rounds)
                yield Trial("freed memory kept for what comes", f"{kind}, {what}", "compute.py", **seconds)


def windows(own: Base, window: int, batch: int) -> list[list[int]]:
    """A batch of sliding windows."""
    return [own.tokens[i * SCORED : i * SCORED + window] for i in range(batch)]


def with_memory(kind: str, own: Base, window: int, batch: int, *, kept: bool) -> Callable[[], Timed]:
    """A turn: seconds of one batch's evaluation, or of a whole step of its tuning, with freed memory kept or not."""
    if kept:
        compute.keep_freed_memory()
    ids = torch.tensor(windows(own, window, batch))
    work: Callable[[], Any]
    if kind == "tuning":
        work = machine.stepping(own, ids)
    else:
        model = own.ours(precisions()[0])
        work = torch.inference_mode()(lambda: scored_losses(model, ids, SCORED))
    return lambda: Timed(None, machine.seconds(work, 3))


Pair = tuple[str, str, Callable[[], Any], Callable[[], Any]]


def _timed(pairs: list[Pair], what: str, rounds: int) -> Iterator[Trial]:
    for idea, kept, without, having in pairs:
        without(), having()  # warm up, and compile what is compiled
        seconds, _ = take_turns({"without": without, "having": having}, rounds)
        yield Trial(idea, what, kept, seconds["without"], seconds["having"])


def _evaluation(own: Base, ids: torch.Tensor) -> list[Pair]:
    """Ideas for the forward of sliding windows and of passkeys."""
    precision = precisions()[0]
    fast, plain = own.ours(precision), own.plain(precision)
    half = ids.shape[1] // 2

    def whole(model: Any, rows: int, cache: bool = False) -> Any:
        hidden = model.model(input_ids=ids[:, :-1], use_cache=cache).last_hidden_state[:, -rows:]
        return model.lm_head(hidden).float()

    def batched(size: int) -> None:
        for part in ids.split(size):
            scored_losses(fast, part, SCORED)

    def resumed() -> Any:
        past = copy.deepcopy(prefix)
        return fast.model(input_ids=ids[:, half:-1], past_key_values=past).last_hidden_state

    def run(work: Callable[[], Any]) -> Callable[[], Any]:
        return torch.inference_mode()(work)

    prefix = DynamicCache(config=fast.config)
    run(lambda: fast.model(input_ids=ids[:, :half], past_key_values=prefix))()
    rows = ids.shape[1] - 1
    pairs: list[Pair] = [
        ("head on scored rows alone", "scoring.py", lambda: whole(fast, rows), lambda: whole(fast, SCORED)),
        ("no key-value cache", "scoring.py", lambda: whole(fast, SCORED, True), lambda: whole(fast, SCORED)),
        (
            "last layer on scored rows alone", "scoring.py",
            lambda: whole(fast, SCORED), lambda: scored_losses(fast, ids, SCORED),
        ),
        (
            "passkeys: first half of the prompt from a shared cache",
            "no: prompts differ in where their filler starts, so that trials are independent",
            lambda: greedy_scores(fast, ids, 5), resumed,
        ),
    ]  # fmt: skip
    if precision == "bfloat16":
        pairs.append(("blockwise attention", "attention.py", lambda: whole(plain, SCORED), lambda: whole(fast, SCORED)))
    if compute.compiles_on_cpu():
        compiled = own.ours(precision, compiled=True)
        pairs.append(
            ("layers compiled, each by torch.compile", "compute.compile, where there is a C++ compiler",
             lambda: scored_losses(fast, ids, SCORED), lambda: scored_losses(compiled, ids, SCORED))
        )  # fmt: skip
    if len(ids) > 1:
        pairs.append(
            (f"windows in batches of {TOKENS_PER_FORWARD} positions", "compute.tokens_per_forward",
             lambda: batched(1), lambda: batched(TOKENS_PER_FORWARD // ids.shape[1]))
        )  # fmt: skip
        pairs.append(
            (f"windows in batches of {ids.numel()} positions", f"no: on a CPU {TOKENS_PER_FORWARD}",
             lambda: batched(TOKENS_PER_FORWARD // ids.shape[1]), lambda: batched(len(ids)))
        )  # fmt: skip
    return [(idea, kept, run(without), run(having)) for idea, kept, without, having in pairs]


def _tuning(own: Base, ids: torch.Tensor) -> list[Pair]:
    """Ideas for a training step, each on the head and loss of one forward or on the optimiser alone."""
    dtype = compute.DTYPES[precisions()[0]]
    model = loading.load(own.place)
    hidden = torch.randn(ids.numel(), model.config.hidden_size, requires_grad=True)
    targets, weight = ids.flatten(), model.lm_head.weight

    def full_logits() -> None:
        cross_entropy((hidden.to(dtype) @ weight.to(dtype).t()).float(), targets).backward()

    def in_parts() -> None:
        loss.total_loss(hidden, weight, targets, dtype).backward()

    def torchs_own() -> None:
        options = LinearCrossEntropyOptions(batch_chunk_size=loss.LOGIT_ROWS)
        linear_cross_entropy(hidden, weight, targets, options=options).backward()

    def stepping(fused: bool) -> Callable[[], Any]:
        weights = [parameter.detach().clone().requires_grad_() for parameter in model.parameters()]
        for parameter in weights:
            parameter.grad = torch.ones_like(parameter)
        return torch.optim.AdamW(weights, lr=1e-6, foreach=not fused, fused=fused).step

    return [
        ("head and loss in parts, gradients at once", "loss.py", full_logits, in_parts),
        ("torch's linear_cross_entropy, in float32", "no: loss.py, in the products' precision", in_parts, torchs_own),
        ("fused AdamW", "the Trainer's own default", stepping(fused=False), stepping(fused=True)),
    ]
