"""benchmarks: its settings, and what is refused."""

from dataclasses import dataclass, field

from position_interpolation.settings.bounds import number
from position_interpolation.settings.checks import known
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task
from position_interpolation.tasks.benchmarks import questions
from position_interpolation.text import corpora


@dataclass
class BenchmarksTask(Task):
    """Zero-shot multiple choice at the base's own window L, before and after extension (section 3.4, Table 5)."""

    shown = ("task.sets", "data.source")
    kind: str = "benchmarks"
    sets: list[str] = field(default_factory=lambda: ["boolq", "piqa", "race_middle", "race_high", "winogrande"])
    questions: int | None = number(None, least=1)  # asked of each set, drawn by a hash of their ids; None asks all
    bootstrap: int = number(1000, least=0, most=100_000)


def check(config: Config, task: BenchmarksTask) -> None:
    """Refuse sets that are unknown, named twice, or not in the source of data."""
    if not task.sets or len(set(task.sets)) < len(task.sets):
        raise UsageError(f"task.sets={task.sets}: expected one or more of {', '.join(questions.SETS)}, each named once")
    for name in task.sets:
        known("task.sets", name, questions.SETS)
    if (source := config.data.source) in corpora.TEXT_ALONE:
        raise UsageError(f"data={source} has no benchmark questions: set data=local data.root=<directory>, or data=hub")
    for name in task.sets:
        corpora.require(config.data, name)
