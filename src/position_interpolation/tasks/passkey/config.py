"""passkey: its settings, and what is refused."""

from dataclasses import dataclass

from position_interpolation.settings.bounds import number
from position_interpolation.settings.derived import reach
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task


@dataclass
class PasskeyTask(Task):
    """Passkey retrieval (section 3.3)."""

    kind: str = "passkey"
    window: int | None = number(None, least=2)  # tokens that a prompt and its answer fill; default: the context's L'
    distances: int = number(32, least=1, most=10_000)
    trials: int = number(10, least=1, most=10_000)
    digits: int = number(5, least=1, most=100)
    threshold: float = 0.2
    generate: bool = False  # greedy decoding instead of one teacher-forced forward; same verdicts


def check(config: Config, task: PasskeyTask) -> None:
    """Refuse a threshold that is no rate, and distances that do not divide the window."""
    if not 0 < task.threshold <= 1:
        raise UsageError(f"task.threshold={task.threshold} is a success rate: expected above 0, at most 1")
    window = reach(config) if task.window is None else task.window
    if window % task.distances:
        raise UsageError(f"{task.distances} distances do not divide a window of {window}: change task.distances")
