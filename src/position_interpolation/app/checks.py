"""What cannot be run, or would mislead, is refused in one line before anything is computed."""

import re
from operator import attrgetter
from pathlib import Path

from position_interpolation.app.config_store import kinds
from position_interpolation.machine import distributed
from position_interpolation.models import methods
from position_interpolation.models.rope import Geometry
from position_interpolation.planning import config as planning
from position_interpolation.planning.config import PlanTask
from position_interpolation.settings import checks as shared
from position_interpolation.settings.derived import reach, sequence, settings, treatment
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import RECALL, Config, ExportTask, TokenizerTask
from position_interpolation.tasks.registry import TASKS
from position_interpolation.text import corpora
from position_interpolation.tuning import card

WIDE = 1024  # dimension of a head, larger than any
NAMES = ("experiment_name", "model.rung", "model.name", "task.name", "method.name")  # which name files of results


def check(config: Config) -> None:
    """Refuse what cannot be run, or would mislead."""
    _check_names(config)
    settings(config)  # each key that the experiment varies must hold one value
    shared.check_values(config)
    shared.check_architecture(config.model.architecture)
    _check_method(config)
    _check_extension(config)
    _check_places(config)
    _check_task(config)


def _check_names(config: Config) -> None:
    for key in NAMES:
        if not re.fullmatch(r"\w[\w.+-]*", name := attrgetter(key)(config)):
            raise UsageError(f"{key}='{name}' names files of results: expected letters, digits and _ . - alone")
    own = config.task.name
    if own in kinds() and own != config.task.kind:
        way_out = f"choose a name of your own, or task={own}"
        raise UsageError(f"task.name={own} is what pages know another task by: {way_out}")
    for key, place in vars(config.paths).items():
        if not place:
            raise UsageError(f"paths.{key} is empty: expected a folder")


def _check_method(config: Config) -> None:
    """Refuse a method, or options of it, that cannot be computed.

    Where the configuration does not state the base's shape, a wider one stands in: what only the base's own refuses is
    then found when its config.json is read.
    """
    shape = config.model.architecture
    theta, head = 10_000.0, WIDE
    if shape is not None:
        theta, head = shape.rope_theta, shape.hidden_size // shape.num_attention_heads
    if methods.changes(config.method):
        methods.rotation(config.method, Geometry(theta, head, config.model.window), max(1.0, treatment(config).factor))


def _check_extension(config: Config) -> None:
    base, window = config.model.window, reach(config)
    train, tuned = config.train, treatment(config).steps > 0
    if window < base or window % base:
        way_out = f"set context=x2, x4, ... or context.window to a multiple of {base}"
        raise UsageError(f"the extended window {window} is not a multiple of the base's window {base}: {way_out}")
    if config.method.name == "pi" and window == base:
        raise UsageError("method=pi with factor 1 is the base itself: set context=x2 or more, or method=none")
    if config.method.name == "extrapolation" and not tuned:
        way_out = "set method=none, or train=tune and train.steps above 0"
        raise UsageError(f"method=extrapolation untuned is the base itself: {way_out}")
    if tuned and not set(train.mixture) - {RECALL}:
        raise UsageError("tuning needs text beside generated streams: set train.mixture, such as train.mixture.books=1")
    if tuned and not isinstance(config.task, PlanTask):
        distributed.check_processes(config, distributed.processes())
    if (train.chunk or 0) > window:
        raise UsageError(f"train.chunk={train.chunk} is longer than the window {window}: expected at most that")
    if train.step_windows is not None and train.step_windows * base % sequence(config):
        fault = f"{train.step_windows} windows of {base} tokens do not divide into sequences of {sequence(config)}"
        raise UsageError(f"train.step_windows={fault}: change it, or set it to null and train.batch_size=<sequences>")


def _check_places(config: Config) -> None:
    """Refuse folders that the run starts from and that do not exist."""
    source, location = config.model.source, config.model.location
    if source in ("path", "hub") and not location:
        raise UsageError(f"model.source={source} needs model.location=<folder, or id on the hub>")
    if source == "path" and not (Path(str(location)) / "config.json").is_file():
        raise UsageError(f"no model in {location}: expected a folder with config.json; set model.location")
    start = config.train.resume_from
    if start is None:
        return
    if not (Path(start) / "trainer_state.json").is_file():
        raise UsageError(f"train.resume_from={start} is no checkpoint: expected a folder checkpoint-<step>")
    at = Path(start).name.removeprefix("checkpoint-")
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
    elif isinstance(task, ExportTask | TokenizerTask):
        _check_folder(config, task)
    if treatment(config).steps and not isinstance(task, PlanTask):  # a plan reads no text
        corpus = getattr(task, "corpus", None)
        if config.train.mixture.get(str(corpus)):
            raise UsageError(f"train.mixture has {corpus}, on which task={task.name} is measured: take it out")
        for name in config.train.mixture:
            if name != RECALL:
                corpora.require(config.data, name)


def _check_folder(config: Config, task: ExportTask | TokenizerTask) -> None:
    """Refuse a place where nothing could be written, not even by transformers, which says nothing of a file there."""
    place, asked = Path(task.folder), f"task.folder={task.folder}"
    if not task.folder.strip():
        raise UsageError("task.folder is empty: expected a folder to write")
    if place.is_file():
        raise UsageError(f"{asked} is a file: expected a folder to write")
    if isinstance(task, TokenizerTask):
        return
    if config.model.source == "path" and place.resolve() == Path(str(config.model.location)).resolve():
        raise UsageError(f"{asked} is the base's own folder: choose another")
    if place.is_dir() and any(place.iterdir()) and not card.is_ours(place):
        raise UsageError(f"{asked} holds other files: expected a new or empty folder, or an earlier export")
