"""Passkey retrieval: its settings, the prompts' lengths and distances, and what is refused."""

from dataclasses import dataclass

from position_interpolation.settings.bounds import number
from position_interpolation.settings.checks import known
from position_interpolation.settings.derived import reach
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task

MATCHES = ("key", "strict", "number")


@dataclass
class PasskeyTask(Task):
    """Passkey retrieval (section 3.3)."""

    shown = ("task.window", "task.lengths", "task.match", "task.generate", "task.keep_answers")
    kind: str = "passkey"
    window: int | None = number(None, least=2)  # tokens that a prompt and its answer fill; default: the context's L'
    lengths: list[float] | None = None  # shares of the window, to ask in prompts of several lengths
    match: str = "key"  # what must be right: key, strict or number, as prompts.py explains
    distances: int = number(32, least=1, most=10_000)  # in prompts of each length
    trials: int = number(10, least=1, most=10_000)  # at each distance
    digits: int = number(5, least=1, most=100)
    prompts_seed: int | None = number(None, least=0)  # of keys and filler; None: the run's seed
    threshold: float = 0.2
    generate: bool = False  # decode greedily instead of one teacher-forced forward; the verdicts are the same
    keep_answers: bool = False  # write what the model answers to <paths.runs>/answers; changes no number


def check(config: Config, task: PasskeyTask) -> None:
    """Refuse a threshold that is no rate, an unknown rule, and distances that do not divide a prompt's length."""
    if not 0 < task.threshold <= 1:
        raise UsageError(f"task.threshold={task.threshold} is a success rate: expected above 0, at most 1")
    known("task.match", task.match, MATCHES)
    for length in prompt_lengths(config, task):
        distances(length, task.distances)


def prompt_lengths(config: Config, task: PasskeyTask) -> list[int]:
    """Tokens that passkey prompts fill with their answers: the whole window, or shares of it."""
    window = reach(config) if task.window is None else task.window
    return [window] if task.lengths is None else [round(share * window) for share in task.lengths]


def distances(window: int, count: int) -> list[int]:
    """`count` distances uniformly spaced in the window: window / count, ..., window.

    Raises:
        UsageError: they do not divide the window evenly.
    """
    if window % count:
        raise UsageError(f"{count} distances do not divide a window of {window}: change task.distances or task.lengths")
    return [window // count * number for number in range(1, count + 1)]
