"""What tells the records and the W&B runs of a sweep's jobs apart.

All jobs are known before the first one runs. If records of some would replace each other, these jobs carry the values
of the keys in which they differ, as if the experiment had named these keys in `varied`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from position_interpolation.evidence.extensions import base_name
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import RUNNING, Config
from position_interpolation.tasks.registry import TASKS

Values = dict[str, Any]  # by key of the configuration
# Keys that change no number, or whose values are in every record, such as the method's name and the window.
SILENT = (
    "experiment_name", "measure_again", "varied", "swept", "paths", "wandb", "method.name", "context",
    "data.kept", "compute",
)  # fmt: skip
NUMERIC = "compute.dtype"  # the one key of its group that can change a number


def tell_apart(configs: Sequence[Config]) -> None:
    """Put the keys that tell records and W&B runs apart into `varied` and `swept` of all jobs."""
    measuring = [config for config in configs if config.task.kind in TASKS]
    varied, swept = _needed(measuring, _in_records), _needed(measuring, _in_name)
    for config in measuring:
        config.varied = list(dict.fromkeys([*config.varied, *varied]))
        config.swept = swept


def check_exports(configs: Sequence[Config]) -> None:
    """Refuse a sweep whose jobs share one `task.folder`: each would replace what the one before wrote."""
    jobs = Counter(Path(folder).resolve() for config in configs if (folder := getattr(config.task, "folder", None)))
    for place, count in jobs.items():
        if count > 1:
            fault = f"{count} jobs of this sweep would write to {place}, each in the place of the one before"
            raise UsageError(f"{fault}: set a folder for each, such as 'task.folder=models/${{method.name}}'")


def overrides(configs: Sequence[Config]) -> list[str]:
    """The keys in `varied` and `swept` as overrides for Hydra."""
    keys = {"varied": configs[0].varied, "swept": configs[0].swept}
    return [f"{name}=[{','.join(values)}]" for name, values in keys.items() if values]


def _needed(configs: Sequence[Config], told: Callable[[Config], tuple[Any, ...]]) -> list[str]:
    """The keys that tell apart jobs of which `told` says the same; where one of several would do, the first."""
    alike: dict[str, list[Values]] = {}
    for config in configs:
        alike.setdefault(repr(told(config)), []).append(_settings(config))
    return list(dict.fromkeys(key for group in alike.values() for key in _separating(group)))


def _separating(group: Sequence[Values]) -> list[str]:
    """The keys that tell these jobs apart, without those that add nothing to the keys before them."""
    found: list[str] = []
    for key in dict.fromkeys(key for values in group for key in values):
        if _kinds(group, [*found, key]) > _kinds(group, found):
            found.append(key)
    return found


def _kinds(group: Sequence[Values], keys: Sequence[str]) -> int:
    """How many combinations of values some keys have in these jobs."""
    return len({repr([values.get(key) for key in keys]) for values in group})


def _in_records(config: Config) -> tuple[Any, ...]:
    """What every record of a job shows."""
    model, settings = config.model, _settings(config)
    names = config.experiment_name, model.rung, model.name, model.base_tokens, config.seed
    task = [settings.get(key) for key in TASKS[config.task.kind].settings.shown]
    return *_in_name(config), *names, *task, derived.settings(config)


def _in_name(config: Config) -> tuple[Any, ...]:
    """What the name of a W&B run always shows (`tracking.job_name`)."""
    base = base_name(config.model.name, config.model.base_tokens)
    return base, derived.treatment(config), config.task.name


def _settings(config: Config) -> Values:
    """Every setting of a job that can change its numbers."""
    silent = [*SILENT, *(f"train.{name}" for name in (*RUNNING, "steps"))]  # steps: the treatment's
    if not derived.treatment(config).steps:
        silent.append("train")
    above = tuple(f"{key}." for key in silent)  # the dot keeps train.stepsize apart from train.steps
    leaves = _leaves(config).items()
    return {key: value for key, value in leaves if key == NUMERIC or not f"{key}.".startswith(above)}


def _leaves(node: Any, path: str = "") -> Values:
    """Every value below a node of the configuration, by its key."""
    if not (is_dataclass(node) or isinstance(node, dict)):
        return {path: node}
    found: Values = {}
    for name, item in (node if isinstance(node, dict) else vars(node)).items():
        found |= _leaves(item, f"{path}.{name}" if path else name)
    return found
