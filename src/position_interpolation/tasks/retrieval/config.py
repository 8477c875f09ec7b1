"""Harder retrieval: its settings, and what is refused."""

from dataclasses import dataclass, field

from position_interpolation.settings.bounds import number, numbers
from position_interpolation.settings.derived import evaluation_windows
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task
from position_interpolation.tasks.retrieval import puzzles


@dataclass
class RetrievalTask(Task):
    """What is asked, by kind, each with its counts; an empty list leaves a kind out. puzzles.py explains the kinds."""

    shown = (*(f"task.{kind}" for kind in puzzles.KINDS), "task.window_factors", "task.windows", "task.keep_answers")
    kind: str = "retrieval"
    keys: list[int] = field(default_factory=lambda: [4, 16])  # other keys beside the one that is asked for
    values: list[int] = field(default_factory=lambda: [4])  # values of one key, all asked for
    pairs: list[int] = field(default_factory=lambda: [4, 16, 64])  # lines of a list, one asked for
    hops: list[int] = field(default_factory=lambda: [0, 1, 2, 4])  # hops from the variable asked for to its value
    window_factors: list[float] = numbers(1, 2, 4, least=0)  # W / L
    windows: list[int] | None = None  # W, tokens that a prompt and its answer fill; wins over window_factors
    trials: int = number(50, least=1, most=10_000)  # of each count and length
    digits: int = number(5, least=3, most=15)  # with two there are too few numbers for long lists
    distances: int = number(4, least=1, most=10_000)  # equal parts of a prompt, by which success is told apart
    written: int = number(20, least=0)  # let the model write the first so many failures: what did it find instead?
    keep_answers: bool = False  # put what is written into <paths.runs>/answers; changes no number


def asked(task: RetrievalTask) -> list[tuple[str, int]]:
    """Every kind with each of its counts."""
    return [(kind, count) for kind in puzzles.MOST for count in getattr(task, kind)]


def check(config: Config, task: RetrievalTask) -> None:
    """Refuse counts that cannot be asked, and lengths that cannot be built."""
    if not asked(task):
        raise UsageError(f"nothing is asked: set one of {', '.join(f'task.{kind}' for kind in puzzles.MOST)}")
    for kind, count in asked(task):
        if not puzzles.LEAST[kind] <= count <= puzzles.MOST[kind]:
            raise UsageError(f"task.{kind} has {count}: expected {puzzles.LEAST[kind]} to {puzzles.MOST[kind]}")
    windows = evaluation_windows(config, task)
    if not windows:
        raise UsageError("no length is asked for: lower task.window_factors or set a longer context")
    if odd := [window for window in windows if window < 2 or window % task.distances]:
        raise UsageError(
            f"{task.distances} distances do not divide prompts of {odd}: change task.distances or task.window_factors"
        )
