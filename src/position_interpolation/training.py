"""Tuning with the Hugging Face Trainer: the paper's optimiser, a loss that never holds all logits, exact resume."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import LinearCrossEntropyOptions
from torch.nn.functional import linear_cross_entropy
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from position_interpolation import checkpoints, files
from position_interpolation.config import Train
from position_interpolation.errors import UsageError
from position_interpolation.optimizers import MuonWithAdamW

CURVE = "curve.jsonl"  # training loss by step
DECAY_SHARE = 0.2  # of all steps, for the schedule wsd
HEAD_ROWS = 1024  # positions whose logits are held at a time


def learning_rate_factor(train: Train) -> Callable[[int], float]:
    """Share of the peak learning rate at each step (section 3.1: linear warm-up over 20 steps from 10 %).

    The paper does not say what follows the warm-up: `constant` here, so that a run's checkpoint at step k is the run of
    k steps; `wsd` (warm-up, stable, decay) falls linearly to zero over the last fifth.
    """
    decay_steps = max(1, round(train.steps * DECAY_SHARE))

    def factor(step: int) -> float:
        if step < train.warmup_steps:
            return train.warmup_start + (1 - train.warmup_start) * step / train.warmup_steps
        if train.schedule == "wsd":
            return min(1.0, max(0.0, (train.steps - step) / decay_steps))
        return 1.0

    return factor


class ChunkedLossTrainer(Trainer):
    """A Trainer whose head and loss work on a few positions at a time."""

    def __init__(self, *arguments: Any, recipe: Train, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.recipe = recipe

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Mean next-token loss; with accumulation, this micro-batch's share of it. (B, T) ids, labels, positions."""
        unwrapped = self.accelerator.unwrap_model(model)
        read = {key: value for key, value in inputs.items() if key != "labels"}
        with self.accelerator.autocast():  # the decoder is called on its own, past the wrapper that would autocast it
            hidden = unwrapped.model(**read, use_cache=False).last_hidden_state.float()
        labels = inputs["labels"][:, 1:].reshape(-1)
        total = linear_cross_entropy(
            hidden[:, :-1].reshape(-1, hidden.shape[-1]),
            unwrapped.lm_head.weight,
            labels,
            reduction="sum",
            options=LinearCrossEntropyOptions(batch_chunk_size=HEAD_ROWS),
        )
        # The Trainer counts labels before the shift; every sequence loses its first one.
        loss = total / (labels != -100).sum() / self.current_gradient_accumulation_steps
        return (loss, None) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The recipe's optimiser; AdamW is the Trainer's own."""
        if self.recipe.optimizer == "adamw":
            return super().create_optimizer(model)  # type: ignore[no-any-return]
        self.optimizer = MuonWithAdamW(model or self.model, self.recipe)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        """The schedule of `learning_rate_factor`."""
        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, learning_rate_factor(self.recipe))
        return self.lr_scheduler


class Checkpoints(TrainerCallback):
    """Save at the given steps and every `save_every`; keep the given steps and the newest."""

    def __init__(self, folder: Path, train: Train) -> None:
        self.folder, self.kept, self.every = folder, {*train.checkpoints, train.steps}, train.save_every

    def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint where one is due."""
        control.should_save = state.global_step in self.kept or state.global_step % self.every == 0

    def on_save(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the new checkpoint whole, then drop older ones that nobody asked to keep."""
        _append_curve(self.folder, state.log_history)
        checkpoints.mark(checkpoints.at(self.folder, state.global_step), kept=state.global_step in self.kept)
        for step in checkpoints.finished_steps(self.folder):
            place = checkpoints.at(self.folder, step)
            # What another run of this folder asked to keep stays too.
            if step < state.global_step and step not in self.kept and not checkpoints.marked(place)["kept"]:
                shutil.rmtree(place)


class Finite(TrainerCallback):
    """Stop at the first loss or gradient that is no number: what comes after it is none either."""

    def on_log(self, arguments: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Raise UsageError before such a step can be saved."""
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0.0)):
                raise UsageError(
                    f"tuning diverged: {name} is {logs[name]} at step {state.global_step}; lower train.learning_rate "
                    "or correct the model"
                )


class Forward(TrainerCallback):
    """Hand every `every`-th log to a listener (W&B)."""

    def __init__(self, listener: Callable[[dict[str, float]], None], every: int) -> None:
        self.listener, self.every = listener, every

    def on_log(self, arguments: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Pass on what the Trainer logs, with the step."""
        if state.global_step % self.every == 0 or "loss" not in logs:
            self.listener({**{f"train/{key}": value for key, value in logs.items()}, "step": state.global_step})


class Bar(ProgressCallback):
    """The Trainer's progress bar, which writes out every `every`-th log."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every

    def on_log(self, arguments: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
        """Write what is due."""
        if state.global_step % self.every == 0 or "loss" not in (logs or {}):
            super().on_log(arguments, state, control, logs=logs, **rest)


def tune(
    build: Callable[[], Any],
    dataset: Dataset[dict[str, torch.Tensor]],
    train: Train,
    folder: Path,
    *,
    micro_batch: int,
    device: str,
    bf16: bool,
    compiled: bool,
    seed: int,
    listener: Callable[[dict[str, float]], None] = lambda _: None,
) -> Path:
    """Train up to `train.steps`, going on from the newest whole checkpoint in `folder`; return the last one.

    Args:
        build: makes the model at step 0.
        dataset: item i is the i-th training sequence; `steps * batch_size` of them are used, in order.
        train: the recipe.
        folder: of this recipe alone; holds the checkpoints and the loss curve.
        micro_batch: sequences a forward; divides the batch.
        device: `cpu` or `cuda`.
        bf16: autocast matrix products to bfloat16.
        compiled: torch.compile the model.
        seed: of the Trainer (no random operation is left to it; kept for completeness).
        listener: is told every `log_every`-th step's loss.

    Raises:
        UsageError: the micro-batch does not divide the batch, or `resume_from` is no checkpoint.
    """
    last = checkpoints.at(folder, train.steps)
    start = checkpoints.newest(folder, train.steps)
    if start == last:
        return last
    if train.batch_size % micro_batch:
        raise UsageError(f"train.batch_size={train.batch_size} is not a multiple of the micro-batch {micro_batch}")
    checkpoints.remove_unfinished(folder)
    start = start or _elsewhere(train)
    arguments = _arguments(folder, train, micro_batch, device, bf16, seed)
    listeners = [Finite(), Checkpoints(folder, train), Forward(listener, train.log_every)]
    model = build()
    if compiled:
        model.model.compile()  # the decoder alone: head and loss are one fused operation already
    trainer = ChunkedLossTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        callbacks=listeners,
        recipe=train,
    )
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(Bar(train.log_every))
    try:
        trainer.train(resume_from_checkpoint=None if start is None else str(start))
    except (ValueError, KeyError, RuntimeError) as error:
        if start is None or trainer.state.global_step > int(start.name.split("-")[1]):
            raise
        raise UsageError(
            f"{start} cannot be continued ({str(error).splitlines()[0]}): expected a checkpoint of the same model and "
            "optimiser; correct train.resume_from, or remove the folder if a run made it"
        ) from error
    return last


def _arguments(folder: Path, train: Train, micro_batch: int, device: str, bf16: bool, seed: int) -> TrainingArguments:
    """The recipe in the Trainer's words; what it saves and reports is ours to decide."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=train.steps,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=train.batch_size // micro_batch,
        learning_rate=train.learning_rate,
        adam_beta1=train.beta1,
        adam_beta2=train.beta2,
        weight_decay=train.weight_decay,
        max_grad_norm=train.clip,
        train_sampling_strategy="sequential",
        save_strategy="no",
        logging_steps=1,  # a mean over several steps would lose those before a resume
        logging_nan_inf_filter=False,  # it would log 0 for NaN
        report_to=[],
        disable_tqdm=False,
        use_cpu=device == "cpu",
        bf16=bf16,
        dataloader_pin_memory=device != "cpu",
        seed=seed,
    )


def loss_curve(folder: Path) -> list[dict[str, float]]:
    """Logged (step, loss) pairs of a training folder, ascending, each step once."""
    path = folder / CURVE
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted({row["step"]: row for row in rows}.values(), key=lambda row: row["step"])


def _append_curve(folder: Path, history: list[dict[str, float]]) -> None:
    known = {row["step"]: row for row in loss_curve(folder)}  # a longer run may have been here before
    known |= {row["step"]: {"step": row["step"], "loss": row["loss"]} for row in history if "loss" in row}
    files.write_text(folder / CURVE, "".join(json.dumps(known[step]) + "\n" for step in sorted(known)))


def _elsewhere(train: Train) -> Path | None:
    """The checkpoint of another folder that a first run here starts from."""
    if train.resume_from is None:
        return None
    start = Path(train.resume_from)
    if not (start / "trainer_state.json").is_file():
        raise UsageError(f"train.resume_from={start} is no checkpoint: expected a folder checkpoint-<step>")
    return start
