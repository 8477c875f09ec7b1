"""From a composed configuration to the numbers a run uses."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import RECALL, Config, Method


@dataclass(frozen=True)
class Treatment:
    """What is done to a base: method, factor and tuning steps, and the window L' that results."""

    method: str
    factor: float
    window: int
    steps: int


def settings(config: Config) -> dict[str, Any] | None:
    """The values of the keys that the experiment varies; None if it varies none.

    Raises:
        UsageError: a key does not exist, or holds more than one value.
    """
    return {key: _value(config, key) for key in config.varied} or None


def _value(config: Config, key: str) -> Any:
    """The value of a key, a list as text; None below a key that is not given, such as model.architecture."""
    found: Any = config
    for name in key.split("."):
        try:
            if found is config.train.mixture and name in (*config.data.corpora, RECALL):
                found = found.get(name, 0.0)  # shares of 0 are left out
            elif found is config.method.options:  # without a value, the method has its own
                found = found.get(name)
            elif found is not None:
                found = found[name] if isinstance(found, dict) else getattr(found, name)
        except (AttributeError, KeyError):
            raise UsageError(f"varied names '{key}', and there is no such key: see conf/ for what there is") from None
    if isinstance(found, list):
        return ", ".join(map(str, found))
    if not isinstance(found, str | int | float | None):
        raise UsageError(f"varied names '{key}', which holds more than one value: name a key below it")
    return found


def swept(config: Config) -> dict[str, Any]:
    """The values of the keys that tell a sweep's jobs apart, including those that the experiment varies."""
    return {key: _value(config, key) for key in dict.fromkeys([*config.swept, *config.varied])}


def results_folder(config: Config) -> Path:
    """Where the records, tables and figures of this run's experiment and rung are kept."""
    return Path(config.paths.results) / config.experiment_name / config.model.rung


def reach(config: Config) -> int:
    """L' that the context asks for, in tokens."""
    if config.context.window is not None:
        return config.context.window
    return round(config.model.window * config.context.factor)


def tuned(method: Method) -> Method:
    """The method as it is while weights are trained."""
    return method if method.scaled_in_tuning else replace(method, attention_slope=0.0)


def training(config: Config) -> str:
    """A key that jobs share if one training serves all; at a constant rate fewer steps are a checkpoint of more."""
    done, train = treatment(config), config.train
    if not done.steps:
        return repr([config.model, config.method, done.factor, config.seed])
    free = ("steps", "checkpoints") if train.schedule == "constant" else ("checkpoints",)
    recipe = {name: value for name, value in vars(train).items() if name not in free}
    method = replace(tuned(config.method), name=config.method.function or config.method.name)
    return repr([config.model, method, done.factor, recipe, config.seed])


class Windows(Protocol):
    """Settings of a task that name evaluation windows."""

    window_factors: list[float]  # W / L
    windows: list[int] | None  # W in tokens; wins over window_factors


def treatment(config: Config) -> Treatment:
    """What the run does to its base. `none` leaves it as it is, whatever the context: untuned, with window L."""
    base = config.model.window
    if config.method.name == "none":
        return Treatment("none", 1.0, base, 0)
    window = reach(config)
    return Treatment(config.method.name, window / base, window, config.train.steps * config.train.tune)


def evaluation_windows(config: Config, task: Windows) -> list[int]:
    """Windows W to evaluate at. By default, no extension is evaluated past its own window; the base is."""
    if task.windows is not None:
        return task.windows
    windows = [round(factor * config.model.window) for factor in task.window_factors]
    return [window for window in windows if window <= max(reach(config), treatment(config).window)]


def batch(config: Config) -> int:
    """Sequences per training step: as many as `step_windows` windows of L fill, at least one; else as given."""
    windows = config.train.step_windows
    return config.train.batch_size if windows is None else max(1, windows * config.model.window // sequence(config))


def tuned_tokens(config: Config) -> int:
    """Tokens that an extension is tuned on, 0 if it is not."""
    return treatment(config).steps * batch(config) * sequence(config)


def sequence(config: Config) -> int:
    """Tokens of a training sequence: L', or a chunk of it whose positions skip."""
    return reach(config) if config.train.chunk is None else config.train.chunk
