"""Tuning steps: the Trainer as it comes, and this project's, on the same batches in the same precision."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from position_interpolation.machine import compute
from position_interpolation.models import loading
from position_interpolation.planning.formulas import training_flops
from position_interpolation.settings.schema import Compute, Train
from position_interpolation.tuning import training
from position_interpolation.tuning.callbacks import Losses
from position_interpolation.tuning.trainer import learning_rate_factor

from .inputs import Base, base, engines, precisions
from .rounds import Names, Row, Timed, middle, take_turns_apart

# (model, L', batch, steps)
CASES = [("tiny", 1024, 8, 6), ("tiny", 4096, 2, 6), ("smollm2", 2048, 1, 4)]
Listener = Callable[[dict[str, float]], None]


def measure(folder: Path | None, cache: Path, rounds: int, models: list[str], known: set[Names]) -> Iterator[list[Row]]:
    """Rows of each case but those known, in the machine's fast precision, tiny's in float32 as well."""
    for name, window, batch, steps in CASES:
        for precision in precisions():
            if (named(name, window), precision, "Trainer") in known:
                continue
            if name in models and not (name == "smollm2" and precision == "float32" and len(precisions()) > 1):
                yield compare(base(name, cache), window, batch, steps, precision, rounds)


def named(model: str, window: int) -> str:
    """What the row of the engine as it comes is called."""
    return f"{model}, L' = {window}"


def compare(own: Base, window: int, batch: int, steps: int, precision: str, rounds: int) -> list[Row]:
    """Median seconds a step of both, compiled or not, and how far their loss curves are apart.

    Each in a process of its own, for ours keeps the memory that it frees. Compiling is part of the first step, which
    counts in no median.
    """
    recipe = Train(steps=steps, batch_size=batch, learning_rate=2e-5, save_every=10**6, log_every=1)
    micro = max(1, min(batch, 8192 // window))
    sides: dict[tuple[str, str], Callable[[], Callable[[], Timed]]] = {}
    for engine, compiled in engines(precision).items():
        own_way = {"trainer": trainer, "ours": tuned}
        for side, train in own_way.items():
            step = partial(train, own, window, recipe, micro, precision, compiled=compiled)
            sides[side, engine] = partial(watched, step)
    seconds, curves = take_turns_apart(sides, rounds)
    rows = []
    for theirs, mine in product(*([key for key in sides if key[0] == side] for side in ("trainer", "ours"))):
        if theirs[1] and not mine[1]:
            continue  # compiled against not compiled
        apart = max(abs(a - b) for a, b in zip(curves[theirs], curves[mine], strict=True))
        row = Row(
            "tuning", f"{named(own.name, window)}{mine[1]}", f"Trainer{theirs[1]}", precision, seconds[theirs],
            seconds[mine], f"losses of {steps} steps within {apart:.0e}",
            float(batch * training_flops(own.shape, window - 1)), f"batch {batch}, {micro} a forward",
        )  # fmt: skip
        rows.append(row)
        print(f"tuning {row.what} {precision}, {row.side}: {middle(row.ratios):.2f}x, {row.agreement}", flush=True)
    return rows


def sequences(own: Base, window: int, recipe: Train) -> Any:
    """Stretches of the document, one after the other, from its start again at its end: as many as are read."""
    starts = [number * window % (len(own.tokens) - window) for number in range(recipe.steps * recipe.batch_size)]
    stretches = [torch.tensor(own.tokens[start : start + window]) for start in starts]
    return [{"input_ids": ids, "labels": ids} for ids in stretches]


def watched(train: Callable[[Listener], None]) -> Callable[[], Timed]:
    """A turn: the losses that a training reports, one a step, and the median seconds from one report to the next."""

    def turn() -> Timed:
        losses: list[float] = []
        times: list[float] = []

        def told(values: dict[str, float]) -> None:
            if "train/loss" in values:
                losses.append(values["train/loss"])
                times.append(time.perf_counter())

        train(told)
        return Timed(losses, statistics.median(later - earlier for earlier, later in pairwise(times)))

    return turn


def trainer(
    own: Base, window: int, recipe: Train, micro: int, precision: str, told: Listener, *,
    recompute: bool = False, compiled: bool = False,
) -> None:  # fmt: skip
    """The Trainer as it comes, with the same optimiser and schedule."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=recipe.steps, per_device_train_batch_size=micro,
            gradient_accumulation_steps=recipe.batch_size // micro, bf16=precision == "bfloat16",
            learning_rate=recipe.learning_rate, adam_beta1=recipe.beta1, adam_beta2=recipe.beta2,
            weight_decay=recipe.weight_decay, max_grad_norm=recipe.clip, train_sampling_strategy="sequential",
            save_strategy="no", logging_steps=1, report_to=[], use_cpu=True, disable_tqdm=True,
            dataloader_pin_memory=False, gradient_checkpointing=recompute, torch_compile=compiled,
        )  # fmt: skip
        model = AutoModelForCausalLM.from_pretrained(own.place, dtype=torch.float32)
        data = sequences(own, window, recipe)
        plain = Trainer(model=model, args=arguments, train_dataset=data, callbacks=[Losses(told, 1)])
        plain.remove_callback(PrinterCallback)
        plain.create_optimizer()
        plain.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(plain.optimizer, learning_rate_factor(recipe))
        plain.train()


def tuned(
    own: Base, window: int, recipe: Train, micro: int, precision: str, told: Listener, *,
    recompute: bool = False, compiled: bool = False,
) -> None:  # fmt: skip
    """The same through `training.tune`, after what a run does first."""
    chosen = Compute("cpu", precision, compile=compiled, recompute=recompute)
    compute.set_up(Compute(device="cpu"))
    with tempfile.TemporaryDirectory() as folder:
        training.tune(
            lambda _: loading.load(own.place), sequences(own, window, recipe), recipe, Path(folder), micro_batch=micro,
            chosen=chosen, seed=0, listener=told,
        )  # fmt: skip
