"""What cannot be run, or would mislead, is refused in one line before anything is computed."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from position_interpolation.machine import distributed
from position_interpolation.models.rope import METHODS
from position_interpolation.planning.formulas import GPUS
from position_interpolation.settings import derived, limits
from position_interpolation.settings.derived import (
    evaluation_windows,
    extension,
    multiple,
    reach,
    sequence,
    stride,
    summary_lengths,
)
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import RECALL, Config
from position_interpolation.settings.task_config import (
    BenchmarksTask,
    ExportTask,
    GovReportTask,
    HeadsTask,
    PasskeyTask,
    PerplexityTask,
    PlanTask,
    PositionsTask,
    Task,
)
from position_interpolation.tasks.benchmarks import questions
from position_interpolation.tasks.govreport import rouge
from position_interpolation.tasks.perplexity.windows import PROTOCOLS
from position_interpolation.text import corpora
from position_interpolation.tuning import card

Choice = TypeVar("Choice")


def check(config: Config) -> None:
    """Refuse what cannot be run or would mislead.

    Raises:
        UsageError: with what was wrong, what was expected and what to do.
    """
    _check_choices(config)
    _check_names(config)
    derived.settings(config)
    limits.check_numbers(config)
    limits.check_architecture(config.model.architecture)
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
    if extension(config).steps and not set(config.train.mixture) - {RECALL}:
        raise UsageError(
            "tuning needs text beside generated streams: set train.mixture, for example train.mixture.books=1.0"
        )
    if extension(config).steps and not isinstance(config.task, PlanTask):
        _check_processes(config, distributed.processes())
    if (config.train.chunk or 0) > window:
        raise UsageError(f"train.chunk={config.train.chunk} is longer than the window {window}: expected at most that")
    _check_places(config)
    _check_task(config)


def _check_processes(config: Config, processes: int) -> None:
    """A step's sequences divide among the processes of the run, or among the groups of them that share a sequence."""
    train, sharing = config.train, config.compute.context_parallel
    if train.optimizer == "muon" and processes > 1:
        raise UsageError("train.optimizer=muon works in one process: choose adamw, or start one")
    if processes % sharing or sequence(config) % sharing or (train.chunk is not None and sharing > 1):
        raise UsageError(
            f"compute.context_parallel={sharing} processes cannot share a training window: expected a divisor of the "
            f"{processes} processes and of the {sequence(config)} tokens, and no train.chunk"
        )
    if train.batch_size % (processes // sharing):
        among = f"{processes} processes" if sharing == 1 else f"{processes // sharing} groups of {sharing} processes"
        raise UsageError(
            f"train.batch_size={train.batch_size} sequences do not divide among {among}: change one of them"
        )


def _check_names(config: Config) -> None:
    """What names files and folders of results is one plain word."""
    named = {
        "experiment_name": config.experiment_name,
        "model.rung": config.model.rung,
        "model.name": config.model.name,
        "task.name": config.task.name,
    }
    for key, name in named.items():
        if not re.fullmatch(r"\w[\w.+-]*", name):
            raise UsageError(f"{key}='{name}' names files of results: expected letters, digits and _ . - alone")
    for key, place in vars(config.paths).items():
        if not place:
            raise UsageError(f"paths.{key} is empty: expected a folder")


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
    task = config.task
    if config.data.root is not None and config.data.source != "local":
        raise UsageError(f"data.root={config.data.root} is read by data=local alone: add data=local")
    ids = getattr(task, "ids", None) or []
    if len(set(ids)) < len(ids):
        raise UsageError(f"task.ids={ids} names a document twice: name each once")
    if isinstance(task, PerplexityTask | PositionsTask | HeadsTask):
        corpora.require(config.data, task.corpus)
    if type(task) in TASK_CHECKS:
        TASK_CHECKS[type(task)](config, task)
    if extension(config).steps and not isinstance(task, PlanTask):  # which reads no text
        corpus = getattr(task, "corpus", None)
        if config.train.mixture.get(str(corpus)):
            raise UsageError(f"train.mixture has {corpus}, on which task={task.name} is measured: take it out")
        for name in config.train.mixture:
            if name != RECALL:
                corpora.require(config.data, name)


def _check_windows(config: Config, task: PerplexityTask | PlanTask) -> None:
    base, windows = config.model.window, evaluation_windows(config, task)
    if not windows:
        raise UsageError(
            f"no evaluation window fits into {reach(config)} tokens: lower task.window_factors or set a longer context"
        )
    odd = [window for window in windows if window < 2 or (window % base and base % window)]
    if odd:
        raise UsageError(
            f"evaluation windows {odd}: expected multiples or whole parts of the base's window {base}; "
            "correct task.windows or task.window_factors"
        )
    if not 0 < stride(config, task) < min(windows):
        raise UsageError(f"task.stride={task.stride} must be at least 1 and below every window {windows}")


def _check_perplexity(config: Config, task: PerplexityTask) -> None:
    _check_windows(config, task)
    windows = evaluation_windows(config, task)
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
    if task.sample is not None and "overlapping" in task.protocols:
        raise UsageError("task.sample leaves windows out, protocol overlapping scores every one: drop one of the two")


def _check_passkey(config: Config, task: PasskeyTask) -> None:
    if not 0 < task.threshold <= 1:
        raise UsageError(f"task.threshold={task.threshold} is a success rate: expected above 0, at most 1")
    window = reach(config) if task.window is None else task.window
    if window % task.distances:
        raise UsageError(f"{task.distances} distances do not divide a window of {window}: change task.distances")


def _check_export(config: Config, task: ExportTask) -> None:
    _known("task.dtype", task.dtype, ("float32", "float16", "bfloat16"))
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


def _check_govreport(config: Config, task: GovReportTask) -> None:
    if config.data.source in corpora.TEXT_ALONE:
        raise UsageError(
            "task=govreport needs reports with their summaries, which no installed package brings: set data=hub, or "
            "data=local data.root=<directory>"
        )
    for name in (task.corpus, task.training) if task.tune else (task.corpus,):
        corpora.require(config.data, name)
    for key in ("epochs", "temperature"):
        if not 0 < getattr(task, key) < math.inf:
            raise UsageError(f"task.{key}={getattr(task, key)} makes no sense: expected a number above 0")
    if not 0 < task.top_p <= 1:
        raise UsageError(f"task.top_p={task.top_p} is a share of probability: expected above 0, at most 1")
    if task.tune and config.compute.context_parallel > 1:
        raise UsageError("a pair of report and summary is read by one process: set compute.context_parallel=1")
    if task.tune and task.batch_size % distributed.processes():
        raise UsageError(
            f"task.batch_size={task.batch_size} pairs do not divide among {distributed.processes()} processes: change "
            "one of them"
        )
    prompt, summary = summary_lengths(config, task)
    if summary < 1 or prompt + summary > reach(config):
        raise UsageError(
            f"a prompt of {prompt} and a summary of {summary} tokens do not fit a window of {reach(config)}: "
            "set a longer context, or lower task.input_tokens or task.summary_tokens"
        )
    rouge.require()


def _check_benchmarks(config: Config, task: BenchmarksTask) -> None:
    if not task.sets or len(set(task.sets)) < len(task.sets):
        raise UsageError(
            f"task.sets={task.sets}: name each of {', '.join(questions.SETS)} at most once, and one of them"
        )
    for name in task.sets:
        _known("task.sets", name, tuple(questions.SETS))
    if (source := config.data.source) in corpora.TEXT_ALONE:
        raise UsageError(f"data={source} has no benchmark questions: set data=local data.root=<directory>, or data=hub")
    for name in task.sets:
        corpora.require(config.data, name)


def _check_plan(config: Config, task: PlanTask) -> None:
    _check_windows(config, task)
    _known("task.gpu", task.gpu, tuple(GPUS))
    if not 0 < task.utilisation <= 1:
        raise UsageError(f"task.utilisation={task.utilisation} is a share of the peak: expected above 0, at most 1")
    if extension(config).steps:
        _check_processes(config, task.gpus)
    longest = max(evaluation_windows(config, task))
    if task.tokens_per_document + task.bos < longest:
        raise UsageError(
            f"documents of {task.tokens_per_document} tokens fill no window of {longest}: raise "
            "task.tokens_per_document or lower task.window_factors"
        )
    if config.model.source == "hub" and config.model.architecture is None:
        raise UsageError(
            f"planning downloads nothing, and model={config.model.name} says nothing of its shape: add "
            "model.architecture, as in conf/model/llama_7b.yaml"
        )


def _check_choices(config: Config) -> None:
    _known("method", config.method.name, tuple(METHODS))
    _known("model.source", config.model.source, ("packaged", "wheel", "path", "hub", "random"))
    _known("data.source", config.data.source, ("hub", "local", "embedded", "made_up"))
    _known("train.optimizer", config.train.optimizer, ("adamw", "muon"))
    _known("train.schedule", config.train.schedule, ("constant", "wsd"))
    _known("compute.device", config.compute.device, ("auto", "cpu", "cuda"))
    _known("compute.dtype", config.compute.dtype, ("auto", "float32", "bfloat16"))
    _known("wandb.mode", config.wandb.mode, ("offline", "online", "disabled"))


def _known(what: str, value: Choice, choices: "tuple[Choice, ...] | list[Choice]") -> None:
    if value not in choices:
        raise UsageError(f"{what}={value} is not known: choose one of {', '.join(map(str, choices))}")


TASK_CHECKS: dict[type[Task], Callable[[Config, Any], None]] = {
    PerplexityTask: _check_perplexity,
    PasskeyTask: _check_passkey,
    ExportTask: _check_export,
    GovReportTask: _check_govreport,
    HeadsTask: _check_heads,
    BenchmarksTask: _check_benchmarks,
    PlanTask: _check_plan,
}
