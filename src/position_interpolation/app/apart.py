"""What tells the records and the W&B runs of a sweep's jobs apart.

All jobs are known before the first one runs. If records of some would replace each other, these jobs carry the values
of the keys in which they differ, as if the experiment had named these keys in `varied`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import is_dataclass
from typing import Any

from position_interpolation.settings import derived
from position_interpolation.settings.schema import RUNNING, Config
from position_interpolation.tasks.registry import TASKS

Values = dict[str, Any]  # by key of the configuration
# Keys that change no number, or whose values are in every record, such as the method's name and the window.
SILENT = (
    "experiment_name", "measure_again", "varied", "swept", "paths", "wandb", "method.name", "context",
    "data.kept",
)  # fmt: skip
NUMERIC = "compute.dtype"  # the one key of its group that can change a number


def tell_apart(configs: Sequence[Config]) -> None:
    """Put the keys that tell records and W&B runs apart into `varied` and `swept` of all jobs."""
    measuring = [config for config in configs if config.task.kind in TASKS]
    varied, swept = separating(measuring, _shown), separating(measuring, _named)
    for config in measuring:
        config.varied = list(dict.fromkeys([*config.varied, *varied]))
        config.swept = swept


def overrides(configs: Sequence[Config]) -> list[str]:
    """The keys in `varied` and `swept` as overrides for Hydra."""
    keys = {"varied": configs[0].varied, "swept": configs[0].swept} if configs else {}
    return [f"{name}=[{','.join(values)}]" for name, values in keys.items() if values]


def separating(configs: Iterable[Config], told: Callable[[Config], Values]) -> list[str]:
    """Keys whose values differ between jobs for which `told` is the same; of keys that separate alike, the first."""
    groups: dict[str, list[Values]] = {}
    for config in configs:
        groups.setdefault(repr(told(config)), []).append(_settings(config))
    found: dict[str, None] = {}
    for group in groups.values():
        parts = [group]
        for key in dict.fromkeys(key for values in group for key in values):
            finer = [part for whole in parts for part in _split(whole, key)]
            if len(finer) > len(parts):
                parts, found[key] = finer, None
    return list(found)


def _split(group: Iterable[Values], key: str) -> list[list[Values]]:
    parts: dict[str, list[Values]] = {}
    for values in group:
        parts.setdefault(repr(values.get(key)), []).append(values)
    return list(parts.values())


def _shown(config: Config) -> Values:
    """What every record of a job shows."""
    settings = _settings(config)
    task = {key: settings.get(key) for key in TASKS[config.task.kind].settings.shown}
    model = config.model
    names = {"experiment": config.experiment_name, "rung": model.rung, "seed": config.seed}
    return {**_named(config), **names, **task, "varied": derived.settings(config)}


def _named(config: Config) -> Values:
    """What the name of a W&B run always shows (`keep.job_name`)."""
    model, extension = config.model, derived.extension(config)
    return {"model": model.name, "tokens": model.base_tokens, "extension": extension, "task": config.task.name}


def _settings(config: Config) -> Values:
    """Every setting of a job that can change its numbers."""
    silent = [*SILENT, *(f"train.{name}" for name in (*RUNNING, "steps"))]  # steps: the extension's
    if not derived.extension(config).steps:
        silent.append("train")
    return {
        key: value
        for key, value in _leaves(config, "").items()
        if not any(f"{key}.".startswith(f"{name}.") for name in silent)
        and (key == NUMERIC or not key.startswith("compute."))
    }


def _leaves(node: Any, path: str) -> Values:
    if not (is_dataclass(node) or isinstance(node, dict)):
        return {path: node}
    items = node.items() if isinstance(node, dict) else vars(node).items()
    prefix = f"{path}." if path else ""
    return {key: value for name, item in items for key, value in _leaves(item, f"{prefix}{name}").items()}
