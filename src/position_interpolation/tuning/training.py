"""Tuning by a recipe, from the newest whole checkpoint to the last step, with the numbers of an unbroken run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch._dynamo.exc import BackendCompilerFailed
from torch.distributed.checkpoint.api import CheckpointException
from torch.utils.data import Dataset
from transformers import TrainingArguments
from transformers.trainer_callback import PrinterCallback

from position_interpolation.machine import compute, distributed
from position_interpolation.models import context_parallel
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Compute, Train
from position_interpolation.tuning import checkpoints
from position_interpolation.tuning.callbacks import Checkpoints, Losses
from position_interpolation.tuning.trainer import ChunkedLossTrainer, ready, stable_steps

CURVE_POINTS = 10  # losses that a listener hears at least, if there are as many steps


def tune(
    build: Callable[[Path | None], Any],
    dataset: Dataset[dict[str, torch.Tensor]],
    train: Train,
    folder: Path,
    *,
    micro_batch: int,
    chosen: Compute,
    seed: int,
    beginning: Path | None = None,
    listener: Callable[[dict[str, float]], None] = lambda _: None,
) -> Path:
    """Train up to `train.steps`, going on from the newest whole checkpoint in `folder`; return the last one.

    Args:
        build: makes the model from the weights of a checkpoint or, given None, from those at step 0.
        dataset: item i is the i-th training sequence; `steps * batch_size` of them are used, in order.
        train: the recipe.
        folder: for this recipe alone; holds the checkpoints, and in them the loss curve.
        micro_batch: most sequences of a forward. The largest number up to it is taken that divides a process's share
            of a step.
        chosen: device, precision, and how memory and processes are used.
        seed: of the Trainer, which has no random operation left to do.
        beginning: folder of the same recipe at a constant rate: the steps before the rate falls are taken from there.
        listener: called with the loss of every `log_every`-th step.

    Raises:
        UsageError: the checkpoint to go on from cannot be continued, the model does not compile, or a loss is not
            finite.
    """
    last = checkpoints.at(folder, train.steps)
    start = distributed.agreed(lambda: checkpoints.newest(folder, train.steps))
    if start == last:
        return last
    if distributed.is_first():
        checkpoints.remove_unfinished(folder)
    if start is None and beginning is not None:
        start = distributed.agreed(lambda: checkpoints.newest(beginning, stable_steps(train)))
    if start is None and train.resume_from is not None:
        start = Path(train.resume_from)
    model = ready(build(start), compiled=chosen.compile, recomputed=chosen.recompute)
    arguments = _arguments(folder, train, micro_batch, chosen, seed)
    _train(_trainer(model, arguments, dataset, train, chosen, listener), start)
    distributed.wait()  # for the first to mark the last checkpoint whole
    return last


def _trainer(
    model: Any,
    arguments: TrainingArguments,
    dataset: Dataset[dict[str, torch.Tensor]],
    train: Train,
    chosen: Compute,
    listener: Callable[[dict[str, float]], None],
) -> ChunkedLossTrainer:
    """The Trainer of a recipe, with our checkpoints and losses in place of its own."""
    sharing = chosen.context_parallel  # processes that share a sequence, each with a stretch of it
    if sharing > 1:
        dataset = context_parallel.Stretches(dataset, sharing, arguments.per_device_train_batch_size)
    told_every = max(1, min(train.log_every, train.steps // CURVE_POINTS))
    trainer = ChunkedLossTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        callbacks=[Losses(listener, told_every), Checkpoints(Path(arguments.output_dir), train)],
        recipe=train,
        context_group=context_parallel.own_group(sharing),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _train(trainer: ChunkedLossTrainer, start: Path | None) -> None:
    """Train to the end; a failure that the user can mend is told in one line."""
    try:
        trainer.train(resume_from_checkpoint=None if start is None else str(start))
    except BackendCompilerFailed as error:
        fault = str(error).splitlines()[0]
        raise UsageError(f"compute.compile=true failed ({fault}): mend the compiler or leave it out") from error
    except (ValueError, KeyError, RuntimeError, CheckpointException) as error:
        if compute.out_of_memory(error) or start is None or _has_trained(trainer, start):
            raise
        fault = f"{start} cannot be continued ({str(error).splitlines()[0]})"
        raise UsageError(f"{fault}: correct train.resume_from, or remove the folder if a run made it") from error


def _has_trained(trainer: ChunkedLossTrainer, start: Path) -> bool:
    """Whether steps were made since the checkpoint `start`, as far as its name tells."""
    step = start.name.rpartition("-")[2]
    return step.isdigit() and trainer.state.global_step > int(step)


def _arguments(folder: Path, train: Train, micro_batch: int, chosen: Compute, seed: int) -> TrainingArguments:
    """The recipe in the Trainer's words; our callbacks decide what it saves and reports."""
    on_cpu = compute.device(chosen) == "cpu"
    readers = distributed.processes() // chosen.context_parallel  # groups of processes, each with its own sequences
    share, rest = divmod(train.batch_size, readers)  # sequences of a step that each of them reads
    assert not rest, "distributed.check_processes refuses it before"
    at_once = max(size for size in range(1, min(share, micro_batch) + 1) if share % size == 0)
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=train.steps,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=share // at_once,
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
        disable_tqdm=True,  # our callback has the bar
        use_cpu=on_cpu,
        bf16=compute.dtype(chosen) == "bfloat16",  # autocast matrix products
        dataloader_pin_memory=not on_cpu,
        seed=seed,
    )
