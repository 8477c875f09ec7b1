"""Tuning by a recipe: from the newest whole checkpoint to the last step, the same numbers as without a break."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch._dynamo.exc import BackendCompilerFailed
from torch.distributed.checkpoint.api import CheckpointException
from torch.utils.data import Dataset
from transformers import TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from position_interpolation.machine import compute, distributed
from position_interpolation.models import context_parallel
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Train
from position_interpolation.tuning import checkpoints
from position_interpolation.tuning.callbacks import Checkpoints, Finite, Forward, Steps
from position_interpolation.tuning.trainer import ChunkedLossTrainer, ready

CURVE_POINTS = 10  # that a run tells at least, where it has as many steps


def tune(
    build: Callable[[Path | None], Any],
    dataset: Dataset[dict[str, torch.Tensor]],
    train: Train,
    folder: Path,
    *,
    micro_batch: int,
    device: str,
    bf16: bool,
    compiled: bool,
    recomputed: bool = False,
    context_parallel_size: int = 1,
    seed: int,
    listener: Callable[[dict[str, float]], None] = lambda _: None,
) -> Path:
    """Train up to `train.steps`, going on from the newest whole checkpoint in `folder`; return the last one.

    Args:
        build: makes the model, of the weights of a checkpoint or, given None, of those at step 0.
        dataset: item i is the i-th training sequence; `steps * batch_size` of them are used, in order.
        train: the recipe.
        folder: of this recipe alone; holds the checkpoints and the loss curve.
        micro_batch: sequences a forward; with the number of those that read them at a time it divides the batch.
        device: `cpu` or `cuda`.
        bf16: autocast matrix products to bfloat16.
        compiled: torch.compile the layers.
        recomputed: keep no activations inside a layer; the backward pass computes them again.
        context_parallel_size: processes that share a sequence, each a stretch of it.
        seed: of the Trainer (no random operation is left to it; kept for completeness).
        listener: is told every `log_every`-th step's loss.

    Raises:
        UsageError: processes and micro-batch do not divide the batch, or `resume_from` is no checkpoint.
    """
    last = checkpoints.at(folder, train.steps)
    start = distributed.agreed(lambda: checkpoints.newest(folder, train.steps))
    if start == last:
        return last
    forward = micro_batch * distributed.processes() // context_parallel_size  # sequences that are read at a time
    if train.batch_size % forward:
        raise UsageError(f"train.batch_size={train.batch_size} is no multiple of the {forward} sequences of a forward")
    if distributed.is_first():
        checkpoints.remove_unfinished(folder)
    start = start or _elsewhere(train)
    if context_parallel_size > 1:
        dataset = context_parallel.Stretches(dataset, context_parallel_size, micro_batch)
    arguments = _arguments(folder, train, micro_batch, train.batch_size // forward, device, bf16, seed)
    told_every = max(1, min(train.log_every, train.steps // CURVE_POINTS))
    listeners = [Finite(), Checkpoints(folder, train), Forward(listener, told_every)]
    trainer = ChunkedLossTrainer(
        model=ready(build(start), compiled=compiled, recomputed=recomputed),
        args=arguments,
        train_dataset=dataset,
        callbacks=listeners,
        recipe=train,
        context_group=context_parallel.own_group(context_parallel_size),
    )
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(Steps())
    _train(trainer, start)
    distributed.wait()  # for the first to mark the last checkpoint whole
    return last


def _train(trainer: ChunkedLossTrainer, start: Path | None) -> None:
    """Train to the end; what can be said of a failure is said in one line."""
    try:
        trainer.train(resume_from_checkpoint=None if start is None else str(start))
    except BackendCompilerFailed as error:
        raise UsageError(
            f"compute.compile=true failed ({str(error).splitlines()[0]}): mend the compiler or leave it out"
        ) from error
    except (ValueError, KeyError, RuntimeError, CheckpointException) as error:
        if compute.out_of_memory(error) or start is None or trainer.state.global_step > int(start.name.split("-")[1]):
            raise
        raise UsageError(
            f"{start} cannot be continued ({str(error).splitlines()[0]}): expected a checkpoint of the same model and "
            "optimiser; correct train.resume_from, or remove the folder if a run made it"
        ) from error


def _arguments(
    folder: Path, train: Train, micro_batch: int, accumulated: int, device: str, bf16: bool, seed: int
) -> TrainingArguments:
    """The recipe in the Trainer's words; what it saves and reports is ours to decide."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=train.steps,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=accumulated,
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


def _elsewhere(train: Train) -> Path | None:
    """The checkpoint of another folder that a first run here starts from."""
    if train.resume_from is None:
        return None
    start = Path(train.resume_from)
    if not (start / "trainer_state.json").is_file():
        raise UsageError(f"train.resume_from={start} is no checkpoint: expected a folder checkpoint-<step>")
    return start
