"""The Trainer that tunes: our schedule, optimisers and checkpoints, and a loss that never holds all logits."""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from safetensors import SafetensorError
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.fsdp import register_fsdp_forward_method
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer
from transformers.distributed import save_optimizer_distributed
from transformers.trainer import OPTIMIZER_NAME

from position_interpolation.machine import compute, distributed, files
from position_interpolation.models.context_parallel import Group
from position_interpolation.settings.schema import Train
from position_interpolation.tuning import checkpoints, loss, optimizer_state
from position_interpolation.tuning.muon import MuonWithAdamW

DECAY_SHARE = 0.2  # of all steps, for the schedule wsd
OPTIMIZER = "optimizer"  # folder of its state inside a checkpoint
# Checkpoints saved by one process can be read by several and the other way round, so there is no reason to warn.
warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable or uninitialized")


def learning_rate_factor(train: Train) -> Callable[[int], float]:
    """Share of the peak learning rate at each step (section 3.1: linear warm-up over 20 steps from 10 %).

    The paper does not say what follows the warm-up. With `constant`, a run's checkpoint at step k is the run of k
    steps; `wsd` (warm-up, stable, decay) falls linearly to zero over the last fifth.
    """
    stable = stable_steps(train)

    def factor(step: int) -> float:
        if step < train.warmup_steps:
            return train.warmup_start + (1 - train.warmup_start) * step / train.warmup_steps
        if train.schedule == "wsd":
            return min(1.0, max(0.0, (train.steps - step) / (train.steps - stable)))
        return 1.0

    return factor


def stable_steps(train: Train) -> int:
    """Steps up to which a run is that of a constant rate: all of them, or those before `wsd` falls."""
    return train.steps - (max(1, round(train.steps * DECAY_SHARE)) if train.schedule == "wsd" else 0)


class ChunkedLossTrainer(Trainer):
    """A Trainer whose head and loss work on a few positions at a time, on one process or on shares of the weights."""

    def __init__(self, *arguments: Any, recipe: Train, context_group: Group | None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.recipe, self.context_group = recipe, context_group

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean next-token loss; with accumulation, this micro-batch's share of it. (B, T) ids, labels, positions."""
        # Not the Trainer's own mean: it counts labels before the shift, by which every sequence loses its first one.
        plain = self.accelerator.unwrap_model(model)
        mean = plain.mean_loss(inputs, self.accelerator.autocast, self.context_group)
        share = mean / self.current_gradient_accumulation_steps
        return (share, None) if return_outputs else share

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Do nothing: the model was built from the checkpoint."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save, and name the place if that fails."""
        place = checkpoints.at(Path(self.args.output_dir), self.state.global_step)
        with files.writing(place, SafetensorError, RuntimeError, CheckpointException):
            super()._save_checkpoint(model, trial)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """Save in a form from which any number of processes can go on."""
        if self.recipe.optimizer == "muon":
            super()._save_optimizer_and_scheduler(output_dir)
        else:
            save_optimizer_distributed(self.model, self.optimizer, str(Path(output_dir) / OPTIMIZER))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Load the optimiser's state; the schedule is a function of the step, which the Trainer knows."""
        if checkpoint is None:
            return
        if self.recipe.optimizer == "muon":
            if not (Path(checkpoint) / OPTIMIZER_NAME).is_file():
                raise ValueError("it holds no state of muon")
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        optimizer_state.load(self.model, self.optimizer, Path(checkpoint) / OPTIMIZER)
        self.lr_scheduler.last_epoch = self.state.global_step - 1
        self.lr_scheduler.step()

    def _defer_fsdp_gradient_reduction(self) -> AbstractContextManager[None]:
        """Never defer the reduction of gradients: where whole weights do not fit, whole gradients do not, either."""
        return nullcontext()

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


def ready(model: Any, *, compiled: bool = False, recomputed: bool = False) -> Any:
    """The model, with the loss that it is tuned on, ready for the Trainer."""
    model.mean_loss = MethodType(loss.mean_loss, model)
    if distributed.processes() > 1:
        register_fsdp_forward_method(model, "mean_loss")  # gathers and frees weights as a forward does
    if recomputed:
        model.activation_checkpointing_enable()
    if compiled:
        compute.compile_layers(model)
    return model
