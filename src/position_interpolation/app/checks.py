"""What cannot be run, or would mislead, is refused in one line before anything is computed."""

import re
from pathlib import Path

from position_interpolation.app.config_store import kinds
from position_interpolation.machine import distributed
from position_interpolation.models import methods
from position_interpolation.planning import config as planning
from position_interpolation.planning.config import PlanTask
from position_interpolation.settings import checks as shared
from position_interpolation.settings import derived
from position_interpolation.settings.checks import known
from position_interpolation.settings.derived import reach, sequence, treatment
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import RECALL, Config
from position_interpolation.settings.tools import ExportTask
from position_interpolation.tasks.registry import TASKS
from position_interpolation.text import corpora
from position_interpolation.tuning import card


def check(config: Config) -> None:
    """Refuse what cannot be run or would mislead.

    Raises:
        UsageError: with what was wrong, what was expected and what to do.
    """
    _check_choices(config)
    _check_names(config)
    derived.settings(config)
    shared.check_numbers(config)
    shared.check_architecture(config.model.architecture)
    base, window = config.model.window, reach(config)
    if window < base or window % base:
        raise UsageError(
            f"the extended window {window} is not a multiple of the base's window {base}: "
            f"set context=x2, x4, ... or context.window to a multiple of {base}"
        )
    if config.method.name == "pi" and window == base:
        raise UsageError("method=pi with factor 1 is the base itself: set context=x2 or more, or method=none")
    if config.method.name == "extrapolation" and treatment(config).steps == 0:
        raise UsageError(
            "method=extrapolation untuned is the base itself: set method=none, or train=tune and train.steps above 0"
        )
    if treatment(config).steps and not set(config.train.mixture) - {RECALL}:
        raise UsageError(
            "tuning needs text beside generated streams: set train.mixture, for example train.mixture.books=1.0"
        )
    if treatment(config).steps and not isinstance(config.task, PlanTask):
        distributed.check_processes(config, distributed.processes())
    if (config.train.chunk or 0) > window:
        raise UsageError(f"train.chunk={config.train.chunk} is longer than the window {window}: expected at most that")
    if config.train.step_windows is not None and config.train.step_windows * base % sequence(config):
        raise UsageError(
            f"train.step_windows={config.train.step_windows} windows of {base} tokens do not divide into sequences of "
            f"{sequence(config)}: change it, or set train.step_windows=null train.batch_size=<sequences>"
        )
    _check_places(config)
    _check_task(config)


def _check_names(config: Config) -> None:
    """Refuse names of files and folders of results that are not one plain word."""
    named = {
        "experiment_name": config.experiment_name,
        "model.rung": config.model.rung,
        "model.name": config.model.name,
        "task.name": config.task.name,
        "method.name": config.method.name,
    }
    for key, name in named.items():
        if not re.fullmatch(r"\w[\w.+-]*", name):
            raise UsageError(f"{key}='{name}' names files of results: expected letters, digits and _ . - alone")
    if config.task.name in kinds() and config.task.name != config.task.kind:
        raise UsageError(
            f"task.name={config.task.name} is what pages know another task by: choose a name of your own, or "
            f"task={config.task.name}"
        )
    for key, place in vars(config.paths).items():
        if not place:
            raise UsageError(f"paths.{key} is empty: expected a folder")


def _check_places(config: Config) -> None:
    """Refuse folders that the run starts from and that do not exist."""
    if config.model.source in ("path", "hub") and not config.model.location:
        raise UsageError(f"model.source={config.model.source} needs model.location=<folder, or id on the hub>")
    if config.model.source == "path" and not (Path(str(config.model.location)) / "config.json").is_file():
        raise UsageError(f"no model in {config.model.location}: expected a folder with config.json; set model.location")
    start = config.train.resume_from
    if start is not None and not (Path(start) / "trainer_state.json").is_file():
        raise UsageError(f"train.resume_from={start} is no checkpoint: expected a folder checkpoint-<step>")
    at = "" if start is None else Path(start).name.removeprefix("checkpoint-")
    if at.isdigit() and int(at) >= config.train.steps:
        raise UsageError(f"train.resume_from={start} is already there: raise train.steps={config.train.steps}")


def _check_task(config: Config) -> None:
    task = config.task
    if config.data.root is not None and config.data.source not in corpora.FILES:
        raise UsageError(f"data.root={config.data.root} is read by data=own and data=local alone: add one of them")
    ids = getattr(task, "ids", None)
    if ids == []:
        raise UsageError("task.ids=[] names no document: name some, or leave it out")
    if ids and len(set(ids)) < len(ids):
        raise UsageError(f"task.ids={ids} names a document twice: name each once")
    if task.kind in TASKS:
        TASKS[task.kind].check(config, task)
    elif isinstance(task, PlanTask):
        planning.check(config, task)
    elif isinstance(task, ExportTask):
        _check_export(config, task)
    if treatment(config).steps and not isinstance(task, PlanTask):  # a plan reads no text
        corpus = getattr(task, "corpus", None)
        if config.train.mixture.get(str(corpus)):
            raise UsageError(f"train.mixture has {corpus}, on which task={task.name} is measured: take it out")
        for name in config.train.mixture:
            if name != RECALL:
                corpora.require(config.data, name)


def _check_export(config: Config, task: ExportTask) -> None:
    known("task.dtype", task.dtype, ("float32", "float16", "bfloat16"))
    place = Path(task.folder)
    if not task.folder.strip():
        raise UsageError("task.folder is empty: expected a folder to write")
    if place.is_file():
        raise UsageError(f"task.folder={task.folder} is a file: expected a folder to write")
    base = config.model.location if config.model.source == "path" else None
    if base is not None and place.resolve() == Path(base).resolve():
        raise UsageError(f"task.folder={task.folder} is the base's own folder: choose another")
    if place.is_dir() and any(place.iterdir()) and not card.is_ours(place):
        raise UsageError(
            f"task.folder={task.folder} holds other files: expected a new or empty folder, or an earlier export"
        )


def _check_choices(config: Config) -> None:
    methods.function(config.method)
    known("model.source", config.model.source, ("packaged", "wheel", "path", "hub", "random"))
    known("data.source", config.data.source, ("hub", "local", "own", "embedded", "made_up"))
    known("train.optimizer", config.train.optimizer, ("adamw", "muon"))
    known("train.schedule", config.train.schedule, ("constant", "wsd"))
    known("compute.device", config.compute.device, ("auto", "cpu", "cuda"))
    known("compute.dtype", config.compute.dtype, ("auto", "float32", "bfloat16"))
    known("wandb.mode", config.wandb.mode, ("offline", "online", "disabled"))
