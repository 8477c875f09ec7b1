"""What happens during tuning: checkpoints, and losses that are shown, passed on and must be finite."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from position_interpolation.machine import distributed
from position_interpolation.machine.progress import Progress
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Train
from position_interpolation.tuning import checkpoints


class Checkpoints(TrainerCallback):
    """Save at the steps asked for, at the last one, and every `save_every`, of which only the newest is kept."""

    def __init__(self, folder: Path, train: Train) -> None:
        self.folder, self.kept, self.every = folder, {*train.checkpoints, train.steps}, train.save_every

    def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint where one is due."""
        control.should_save = state.global_step in self.kept or state.global_step % self.every == 0

    def on_save(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the new checkpoint whole, then drop older ones that nobody asked to keep."""
        distributed.wait()
        if not distributed.is_first():
            return
        checkpoints.mark(checkpoints.at(self.folder, state.global_step), kept=state.global_step in self.kept)
        for step in checkpoints.finished_steps(self.folder):
            place = checkpoints.at(self.folder, step)
            # A step that another run asked to keep in this folder stays, too.
            if step < state.global_step and step not in self.kept and not checkpoints.marked(place)["kept"]:
                shutil.rmtree(place)


class Losses(TrainerCallback):
    """Show each step's loss, pass every `every`-th to a listener (W&B), and stop at the first that is not finite."""

    bar: Progress  # since tuning began

    def __init__(self, listener: Callable[[dict[str, float]], None], every: int) -> None:
        self.listener, self.every = listener, every

    def on_train_begin(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin at the step that is resumed from."""
        self.bar = Progress("tuning", state.max_steps, "steps", done=state.global_step)

    def on_log(self, arguments: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Pass a step's loss on.

        Raises:
            UsageError: it, or the gradient, is not finite. The step is not saved then: no later one would be finite.
        """
        step = state.global_step
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0.0)):
                fault = f"tuning diverged: {name} is {logs[name]} at step {step}"
                raise UsageError(f"{fault}; lower train.learning_rate or correct the model")
        if "loss" in logs:
            self.bar(1, f"loss {logs['loss']:.3f}")
        if step % self.every == 0 or "loss" not in logs:
            self.listener({**{f"train/{key}": value for key, value in logs.items()}, "step": step})

    def on_train_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the bar away."""
        self.bar.close()
