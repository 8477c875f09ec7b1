"""A plan and a timing: their settings, and what is refused."""

from dataclasses import dataclass

from position_interpolation.machine import distributed
from position_interpolation.planning.formulas import GPUS
from position_interpolation.settings.bounds import number, numbers, one_of
from position_interpolation.settings.derived import evaluation_windows, treatment
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task
from position_interpolation.tasks.perplexity.config import check_windows


@dataclass
class PlanTask(Task):
    """Print what the run's tuning, and an evaluation of its perplexity, would cost; runs and writes nothing."""

    kind: str = "plan"
    gpus: int = number(1, least=1)
    gpu: str = one_of(*GPUS, default="a100_80")
    utilisation: float = 0.4  # share of a GPU's peak that model FLOPs are assumed to reach
    documents: int = number(least=1)
    tokens_per_document: int = number(least=2)
    window_factors: list[float] = numbers(1, 2, 4, 8, 16, least=0)  # W / L
    windows: list[int] | None = None  # W in tokens; wins over window_factors
    stride: int | None = number(None, least=1)  # S in tokens; default L / 8
    # Windows that a sampled evaluation draws; it is planned beside the full one (tasks/perplexity/sampling.py).
    sample: int = number(2000, least=1)
    bos: bool = True


@dataclass
class TimingTask(Task):
    """Time some steps of a run's tuning and one forward of L' tokens; keeps nothing."""

    kind: str = "timing"
    steps: int = number(3, least=1, most=1_000)  # timed, after a first one that is not
    forwards: int = number(0, least=0)  # of L' tokens, that the run makes besides: for the sum that is printed


PRINTED = (PlanTask, TimingTask)  # what they find is printed, and kept nowhere


def check(config: Config, task: PlanTask) -> None:
    """Refuse a plan that cannot be computed."""
    check_windows(config, task)
    if not 0 < task.utilisation <= 1:
        raise UsageError(f"task.utilisation={task.utilisation} is a share of the peak: expected above 0, at most 1")
    if treatment(config).steps:
        distributed.check_processes(config, task.gpus)
    longest, tokens = max(evaluation_windows(config, task)), task.tokens_per_document
    if tokens + task.bos < longest:
        way_out = "raise task.tokens_per_document or lower task.window_factors"
        raise UsageError(f"documents of {tokens} tokens fill no window of {longest}: {way_out}")
    if config.model.source == "hub" and config.model.architecture is None:
        way_out = "add model.architecture, as in conf/model/llama_7b.yaml"
        raise UsageError(f"planning downloads nothing, and model={config.model.name} states no shape: {way_out}")
