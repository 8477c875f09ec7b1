"""rotation: it has no settings; tuning is refused."""

from dataclasses import dataclass

from position_interpolation.settings.derived import treatment
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task

RATIO, WAVELENGTH, SCALING = "frequency_ratio", "wavelength", "attention_scaling"  # metrics


@dataclass
class RotationTask(Task):
    """What a method does to each frequency; no text and no forward pass."""

    kind: str = "rotation"


def check(config: Config, task: RotationTask) -> None:
    """Refuse tuning, which changes no frequency."""
    if treatment(config).steps:
        raise UsageError(f"task={task.name} is the same after any tuning: add train=untuned")
