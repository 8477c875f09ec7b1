"""The costs of one composed run: its settings put into `formulas`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from position_interpolation.machine.compute import TOKENS_PER_FORWARD
from position_interpolation.models.scoring import HEAD_VALUES
from position_interpolation.planning import formulas
from position_interpolation.planning.config import PlanTask
from position_interpolation.planning.formulas import GPUS, Cluster, Forwards, Memory
from position_interpolation.planning.shape import Shape
from position_interpolation.settings import derived
from position_interpolation.settings.schema import Config
from position_interpolation.tasks.perplexity import config as perplexity_config
from position_interpolation.tasks.perplexity import sampling, windows
from position_interpolation.tuning.loss import LOGIT_ROWS


@dataclass(frozen=True)
class Tuning:
    """What tuning costs; memory is of one GPU."""

    tokens: int
    flops_per_token: float
    hours: float
    kept: Memory  # with every activation kept for the backward pass
    checkpointed: Memory  # with only the layers' inputs kept
    fewest_kept: int | None  # fewest GPUs that hold it and share the batch evenly
    fewest_checkpointed: int | None

    @property
    def flops(self) -> float:
        """FLOPs of the whole tuning."""
        return self.tokens * self.flops_per_token


@dataclass(frozen=True)
class Evaluation:
    """What sliding-window perplexity runs at one window size: every window of every document, or a sample of them."""

    window: int
    full: Forwards
    sampled: Forwards


@dataclass(frozen=True)
class Costs:
    """Everything planned for one run."""

    config: Config
    task: PlanTask
    shape: Shape
    cluster: Cluster
    tuning: Tuning | None  # None where nothing is tuned
    evaluations: tuple[Evaluation, ...]  # by window, ascending
    evaluation_fits: bool  # whether one GPU holds the model and a forward of its largest window


def costs(config: Config, shape: Shape) -> Costs:
    """The costs of a composed `task=plan`."""
    task = config.task
    assert isinstance(task, PlanTask)
    cluster = Cluster(GPUS[task.gpu], task.gpus, task.utilisation)
    evaluations = tuple(_evaluations(config, task, shape))
    positions = max(evaluations[-1].window, config.compute.tokens_per_forward or TOKENS_PER_FORWARD)
    fits = formulas.evaluation_memory(shape, positions, HEAD_VALUES).total <= cluster.gpu.usable
    tuning = _tuning(config, shape, cluster) if derived.treatment(config).steps else None
    return Costs(config, task, shape, cluster, tuning, evaluations, fits)


def _tuning(config: Config, shape: Shape, cluster: Cluster) -> Tuning:
    batch, sequence, sharing = config.train.batch_size, derived.sequence(config), config.compute.context_parallel
    tokens = derived.tuned_tokens(config)
    flops_per_token = formulas.training_flops(shape, sequence) / sequence
    hours = cluster.hours(tokens * flops_per_token)
    memory = partial(formulas.tuning_memory, shape, sequence // sharing, head_rows=LOGIT_ROWS)
    kept, checkpointed = (partial(memory, checkpointed=again) for again in (False, True))
    even = [sharing * readers for readers in range(1, batch + 1) if batch % readers == 0]
    fewest = [formulas.fewest(even, needed, cluster.gpu) for needed in (kept, checkpointed)]
    return Tuning(tokens, flops_per_token, hours, kept(cluster.count), checkpointed(cluster.count), *fewest)


def _evaluations(config: Config, task: PlanTask, shape: Shape) -> Iterator[Evaluation]:
    stride = perplexity_config.stride(config, task)
    for window in sorted(derived.evaluation_windows(config, task)):
        spans = [windows.plan(task.tokens_per_document, window, stride, task.bos)] * task.documents
        drawn = [plan.spans for plan in sampling.drawn(spans, task.sample, config.seed)]
        yield Evaluation(window, formulas.forwards(shape, spans, task.bos), formulas.forwards(shape, drawn, task.bos))
