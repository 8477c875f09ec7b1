"""From a composed configuration to the numbers a run uses, and the combinations that make no sense."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from position_interpolation import corpora
from position_interpolation.config import GENERATED, Config
from position_interpolation.errors import UsageError
from position_interpolation.rope import METHODS
from position_interpolation.task_config import ExportTask, HeadsTask, PasskeyTask, PerplexityTask, PositionsTask
from position_interpolation.tasks.windows import PROTOCOLS

Choice = TypeVar("Choice")
# The least that each number of the configuration can be; one that is None is not given.
LEAST: dict[str, dict[str, float]] = {
    "model": {"window": 2},
    "context": {"factor": 1, "window": 2},
    "train": {
        "steps": 0, "batch_size": 1, "learning_rate": 0, "warmup_steps": 0, "warmup_start": 0, "weight_decay": 0,
        "beta1": 0, "beta2": 0, "clip": 0, "lesson_steps": 0, "save_every": 1, "log_every": 1,
    },
    "task": {
        "documents": 1, "stride": 1, "truncate_factor": 1, "minimum_factor": 0, "bootstrap": 0, "window": 2,
        "block": 2, "distances": 1, "trials": 1, "digits": 1, "vocabulary": 300,
        "pairs": 1, "spans": 16,
    },
    "compute": {"threads": 1, "tokens_per_forward": 1},
}  # fmt: skip


@dataclass(frozen=True)
class Extension:
    """What is done to a base: (method, factor, tuning steps) and the window L' that results."""

    method: str
    factor: float
    window: int
    steps: int


def reach(config: Config) -> int:
    """L' that the context asks for, in tokens."""
    if config.context.window is not None:
        return config.context.window
    return round(config.model.window * config.context.factor)


def extension(config: Config) -> Extension:
    """The extension of the run. `none` is the base itself, whatever the context: its window is L, it is not tuned."""
    base = config.model.window
    if config.method.name == "none":
        return Extension("none", 1.0, base, 0)
    window = reach(config)
    return Extension(config.method.name, window / base, window, config.train.steps * config.train.tune)


def evaluation_windows(config: Config, task: PerplexityTask) -> list[int]:
    """Windows W to evaluate at. By default an extension is not asked about windows past its own; the base is."""
    if task.windows is not None:
        return task.windows
    windows = [factor * config.model.window for factor in task.window_factors]
    return [window for window in windows if window <= max(reach(config), extension(config).window)]


def stride(config: Config, task: PerplexityTask) -> int:
    """S in tokens; by default L / 8, the paper's 256 for its 2048."""
    return config.model.window // 8 if task.stride is None else task.stride


def multiple(config: Config, factor: int | None) -> int | None:
    """`factor` windows in tokens; None stays None."""
    return None if factor is None else factor * config.model.window


def check(config: Config) -> None:
    """Refuse what cannot be run or would mislead.

    Raises:
        UsageError: with what was wrong, what was expected and what to do.
    """
    _check_choices(config)
    _check_numbers(config)
    base, window = config.model.window, reach(config)
    if window < base or window % base:
        raise UsageError(
            f"the extended window {window} is not a multiple of the base's window {base}: "
            f"set context=x2, x4, ... or context.window to a multiple of {base}"
        )
    if config.method.name == "pi" and window == base:
        raise UsageError("method=pi with factor 1 is the base itself: set context=x2 or more, or method=none")
    if config.method.name == "extrapolation" and extension(config).steps == 0:
        raise UsageError(
            "method=extrapolation untuned is the base itself: set method=none, or train=tune and train.steps above 0"
        )
    if extension(config).steps and not set(config.train.mixture) - {*GENERATED}:
        raise UsageError(
            "tuning needs text beside generated streams: set train.mixture, for example train.mixture.books=1.0"
        )
    _check_places(config)
    _check_task(config)


def _check_numbers(config: Config) -> None:
    """Every number is one that it can be: finite, and not below the least that makes sense."""
    for group, keys in LEAST.items():
        for key, least in keys.items():
            value = getattr(getattr(config, group), key, None)
            if value is not None and not least <= value < math.inf:
                raise UsageError(f"{group}.{key}={value} makes no sense: expected a number of at least {least}")
    for key in ("beta1", "beta2"):
        if getattr(config.train, key) >= 1:
            raise UsageError(f"train.{key}={getattr(config.train, key)} makes no sense: expected a number below 1")
    shares = config.train.mixture
    if any(not 0 <= share < math.inf for share in shares.values()) or (shares and not sum(shares.values())):
        raise UsageError(f"train.mixture={dict(shares)}: expected shares of at least 0, and one above 0")


def _check_places(config: Config) -> None:
    """Folders that the run starts from exist."""
    if config.model.source == "path" and not (Path(str(config.model.location)) / "config.json").is_file():
        raise UsageError(f"no model in {config.model.location}: expected a folder with config.json; set model.location")
    start = config.train.resume_from
    if start is not None and not (Path(start) / "trainer_state.json").is_file():
        raise UsageError(f"train.resume_from={start} is no checkpoint: expected a folder checkpoint-<step>")
    at = "" if start is None else Path(start).name.removeprefix("checkpoint-")
    if at.isdigit() and int(at) >= config.train.steps:
        raise UsageError(f"train.resume_from={start} is already there: raise train.steps={config.train.steps}")


def _check_task(config: Config) -> None:
    task, base = config.task, config.model.window
    ids = getattr(task, "ids", None) or []
    if len(set(ids)) < len(ids):
        raise UsageError(f"task.ids={ids} names a document twice: name each once")
    if isinstance(task, ExportTask) and Path(task.folder).is_file():
        raise UsageError(f"task.folder={task.folder} is a file: expected a folder to write")
    if isinstance(task, PerplexityTask):
        windows = evaluation_windows(config, task)
        if any(window < 2 for window in windows):
            raise UsageError(f"evaluation windows {windows}: expected multiples of {base}; correct task.window_factors")
        odd = [window for window in windows if window % base]
        if odd or not windows:
            raise UsageError(
                f"evaluation windows {odd or windows}: expected multiples of the base's window {base}; "
                "correct task.windows or task.window_factors"
            )
        if not 0 < stride(config, task) < min(windows):
            raise UsageError(f"task.stride={task.stride} must be at least 1 and below every window {windows}")
        cut = multiple(config, task.truncate_factor)
        if cut is not None and cut + 1 < max(windows):
            raise UsageError(
                f"documents cut to {cut} tokens fill no window of {max(windows)}: raise task.truncate_factor or lower "
                "task.window_factors"
            )
        if not task.protocols:
            raise UsageError(f"task.protocols is empty: choose from {', '.join(PROTOCOLS)}")
        for protocol in task.protocols:
            _known("task.protocols", protocol, PROTOCOLS)
        corpora.require(config.data, task.corpus)
    if isinstance(task, PositionsTask):
        corpora.require(config.data, task.corpus)
    if isinstance(task, HeadsTask):
        _check_heads(config, task)
    if isinstance(task, PasskeyTask):
        if not 0 < task.threshold <= 1:
            raise UsageError(f"task.threshold={task.threshold} is a success rate: expected above 0, at most 1")
        window = reach(config) if task.window is None else task.window
        if window % task.distances:
            raise UsageError(f"{task.distances} distances do not divide a window of {window}: change task.distances")
    if extension(config).steps:
        for name in config.train.mixture:
            if name not in GENERATED:
                corpora.require(config.data, name)


def _check_heads(config: Config, task: HeadsTask) -> None:
    """Queries and keys are those of a base inside its own window, with the frequencies of its own theta."""
    base = config.model.window
    if config.method.name != "none":
        raise UsageError(f"task=heads measures the base itself, not method={config.method.name}: set method=none")
    if task.window is not None and task.window > base:
        raise UsageError(
            f"task.window={task.window} is past the base's own window {base}: expected at most {base}; spans reach to "
            "4 L whatever it is"
        )
    corpora.require(config.data, task.corpus)


def _check_choices(config: Config) -> None:
    _known("method", config.method.name, METHODS)
    _known("model.source", config.model.source, ("packaged", "wheel", "path", "hub", "random"))
    _known("data.source", config.data.source, ("hub", "local", "embedded"))
    _known("train.optimizer", config.train.optimizer, ("adamw", "muon"))
    _known("train.schedule", config.train.schedule, ("constant", "wsd"))
    _known("compute.device", config.compute.device, ("auto", "cpu", "cuda"))
    _known("compute.dtype", config.compute.dtype, ("auto", "float32", "bfloat16"))
    _known("wandb.mode", config.wandb.mode, ("offline", "online", "disabled"))


def _known(what: str, value: Choice, choices: "tuple[Choice, ...] | list[Choice]") -> None:
    if value not in choices:
        raise UsageError(f"{what}={value} is not known: choose one of {', '.join(map(str, choices))}")
