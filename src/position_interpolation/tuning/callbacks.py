"""What happens during tuning: checkpoints, the progress bar, listeners, and an end at the first NaN."""

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


class Finite(TrainerCallback):
    """Stop at the first loss or gradient that is not finite: all that follow would not be, either."""

    def on_log(self, arguments: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Raise UsageError before such a step can be saved."""
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0.0)):
                fault = f"tuning diverged: {name} is {logs[name]} at step {state.global_step}"
                raise UsageError(f"{fault}; lower train.learning_rate or correct the model")


class ToListener(TrainerCallback):
    """Pass every `every`-th log to a listener (W&B)."""

    def __init__(self, listener: Callable[[dict[str, float]], None], every: int) -> None:
        self.listener, self.every = listener, every

    def on_log(self, arguments: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Pass on what the Trainer logs, with the step."""
        if state.global_step % self.every == 0 or "loss" not in logs:
            self.listener({**{f"train/{key}": value for key, value in logs.items()}, "step": state.global_step})


class Steps(TrainerCallback):
    """Show how far tuning is, with the loss of the last step."""

    def __init__(self) -> None:
        self.progress: Progress | None = None

    def on_train_begin(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin at the step that is resumed from."""
        self.progress = Progress("tuning", state.max_steps, "steps", done=state.global_step)

    def on_log(self, arguments: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Count a step; the Trainer logs each."""
        if self.progress is not None and "loss" in logs:
            self.progress(1, f"loss {logs['loss']:.3f}")

    def on_train_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the bar away."""
        if self.progress is not None:
            self.progress.close()
