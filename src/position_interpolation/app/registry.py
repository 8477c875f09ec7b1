"""What `task=` can choose: tasks, which measure an extension, and jobs, which do something else."""

from hydra.core.config_store import ConfigStore

from position_interpolation.planning.config import PlanTask
from position_interpolation.settings.jobs import ExportTask, ReportTask, TokenizerTask
from position_interpolation.settings.schema import Config, Task
from position_interpolation.tasks.registry import TASKS
from position_interpolation.tasks.theory.config import TheoryTask

JOBS: dict[str, type[Task]] = {  # jobs.py has the functions that carry them out
    "theory": TheoryTask,
    "export": ExportTask,
    "tokenizer": TokenizerTask,
    "report": ReportTask,
    "plan": PlanTask,
}


def kinds() -> dict[str, type[Task]]:
    """The settings of every task and job, by kind."""
    return {kind: entry.settings for kind, entry in TASKS.items()} | JOBS


def register() -> None:
    """Make the schema known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for name, node in kinds().items():
        store.store(group="task", name=f"{name}_schema", node=node)
