"""What Hydra must know of ours: the schema, experiments, and tasks and tools, which `task=` can choose."""

import os

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from position_interpolation.models import checkpoint
from position_interpolation.planning.config import PlanTask, TimingTask
from position_interpolation.settings import naming
from position_interpolation.settings.places import EXPERIMENTS
from position_interpolation.settings.schema import Config, ExportTask, ReportTask, Task, TokenizerTask
from position_interpolation.tasks.registry import TASKS
from position_interpolation.tasks.theory.config import TheoryTask

TOOLS: dict[str, type[Task]] = {  # tools.py has the functions that carry them out
    "theory": TheoryTask,
    "export": ExportTask,
    "tokenizer": TokenizerTask,
    "report": ReportTask,
    "plan": PlanTask,
    "timing": TimingTask,
}


def kinds() -> dict[str, type[Task]]:
    """The settings of every task and tool, by kind."""
    return {kind: entry.settings for kind, entry in TASKS.items()} | TOOLS


def register() -> None:
    """Make the schema, and each experiments/<name>/sweep.yaml as `experiment=<name>`, known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for name, node in kinds().items():
        store.store(group="task", name=f"{name}_schema", node=node)
    OmegaConf.register_new_resolver("at_home", os.path.expanduser, replace=True)
    OmegaConf.register_new_resolver("own_name", naming.of, replace=True)
    OmegaConf.register_new_resolver("own_text_name", naming.of_text, replace=True)
    OmegaConf.register_new_resolver("own_window", checkpoint.window, replace=True)
    if "experiment" in store.repo:  # to read them all takes a tenth of a second
        return
    for path in sorted(EXPERIMENTS.glob("*/sweep.yaml")):
        store.store(group="experiment", name=path.parent.name, node=OmegaConf.load(path), package="_global_")
