"""One run: build the extension, measure the task, write the records, mirror them to W&B."""

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from position_interpolation.app import checks
from position_interpolation.evidence import records
from position_interpolation.evidence.extensions import base_name
from position_interpolation.evidence.records import BY_BASE_TOKENS, ROWS, Record
from position_interpolation.evidence.tracking import Tracker
from position_interpolation.machine import compute, distributed, files
from position_interpolation.models import loading
from position_interpolation.planning.costs import costs
from position_interpolation.planning.formulas import Shape
from position_interpolation.planning.tables import print_costs
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import RECALL, Config
from position_interpolation.settings.task_config import ExportTask, TokenizerTask
from position_interpolation.tasks.choose import measurements
from position_interpolation.tasks.measurement import Measured, Measurement
from position_interpolation.tasks.theory import measure as theory
from position_interpolation.text import corpora, tokenizer
from position_interpolation.tuning import card
from position_interpolation.tuning.extension import Prepared, prepare

THEORY_DTYPE = "float32 and float64"  # which one, the metric says
PLAIN_DTYPE = "float64"  # of numbers that no model has a part in


def run(config: Config) -> float | None:
    """Carry out one run; what an earlier run measured under the same signature is reused.

    Returns:
        What a search over settings minimises: `objective` of what was measured.
    """
    checks.check(config)
    compute.prepare(config.compute)
    with Tracker(config, job_name(config)) as tracker:
        return objective(JOBS.get(config.task.kind, _evaluate)(config, tracker))


def objective(measured: Sequence[Record]) -> float | None:
    """Perplexity, protocol `token`, at the largest window measured; None if there is none."""
    found = [record for record in measured if (record.metric, record.protocol) == ("perplexity", "token")]
    return max(found, key=lambda record: record.eval_window or 0).value if found else None


def results_folder(config: Config) -> Path:
    """Where the records, tables and figures of this run's experiment and rung are kept."""
    return Path(config.paths.results) / config.experiment_name / config.model.rung


def _check_folders(config: Config) -> None:
    """Find out before computing whether what is computed can be kept."""
    kept = {"results": results_folder(config), "runs": Path(config.paths.runs), "cache": Path(config.paths.cache)}
    for key, folder in kept.items():
        try:
            files.write_text(folder / ".writable", "")
            (folder / ".writable").unlink(missing_ok=True)  # a job beside this one may have asked, too
        except OSError as error:
            raise UsageError(f"{folder} cannot be written ({error.strerror}): set paths.{key}") from error
    records.read(kept["results"] / ROWS)
    if config.experiment_name == BY_BASE_TOKENS and config.model.base_tokens is None:
        raise UsageError("this experiment compares bases by the tokens they have seen: set model.base_tokens")


def job_name(config: Config) -> str:
    """What a W&B run is called: extension, task and what the experiment varies."""
    wanted = derived.extension(config)
    tuned = f"{wanted.steps}steps" if wanted.steps else "untuned"
    base = base_name(config.model.name, config.model.base_tokens)
    settings = "".join(f"-{key}={value}" for key, value in (derived.settings(config) or {}).items())
    return f"{base}-{wanted.method}-x{wanted.factor:g}-{tuned}-{config.task.name}{settings}"


def _evaluate(config: Config, tracker: Tracker) -> list[Record]:
    """Measure the task on the extension, one signature at a time, so that a killed run keeps what it has."""
    with distributed.first_alone():
        _check_folders(config)
        prepared = prepare(config, tracker.log)
    everything = []
    for measurement in measurements(prepared):
        signature = records.signature(measurement.parts)
        task = measurement.task or config.task.name
        found = distributed.agreed(lambda signature=signature, task=task: _recall(config, signature, task))  # type: ignore[misc]
        if found is None:
            found = _measure(prepared, signature, measurement)
            tracker.log_records(found)
        _merge(config, found)
        everything += found
    return everything


def _measure(prepared: Prepared, signature: str, measurement: Measurement) -> list[Record]:
    """Measure, turn into records and keep them under their signature."""
    config = prepared.config
    started = time.perf_counter()
    measured = measurement.measure()
    seconds = time.perf_counter() - started
    broken = [value.metric for value in measured if not math.isfinite(value.estimate.value)]
    if broken:
        raise UsageError(
            f"{broken[0]} is not a finite number: the model's losses are NaN or infinite; lower train.learning_rate or "
            "correct the model"
        )
    subject = measurement.subject(prepared)
    dtype = PLAIN_DTYPE if subject is None else compute.dtype(config.compute)
    task = measurement.task or config.task.name
    found = [_record(config, value, signature, seconds, subject, dtype, task) for value in measured]
    _keep(config, signature, found)
    return found


def _record(
    config: Config,
    measured: Measured,
    signature: str,
    seconds: float,
    prepared: Prepared | None,
    dtype: str,
    task: str,
) -> Record:
    wanted = None if prepared is None else prepared.extension
    return Record(
        **_names(config, task),
        weights_sha256=None if prepared is None else prepared.weights_sha256,
        method=None if wanted is None else wanted.method,
        factor=None if wanted is None else wanted.factor,
        window=None if wanted is None else wanted.window,
        steps=None if wanted is None else wanted.steps,
        eval_window=measured.eval_window,
        stride=measured.stride,
        protocol=measured.protocol,
        metric=measured.metric,
        at=measured.at,
        value=measured.estimate.value,
        ci_low=measured.estimate.low,
        ci_high=measured.estimate.high,
        n_documents=measured.n_documents,
        n_tokens=measured.n_tokens,
        data=measured.data,
        signature=signature,
        commit=records.commit(),
        versions=records.versions(),
        device=compute.description(config.compute),
        dtype=dtype,
        seconds=round(seconds, 3),
    )


def _names(config: Config, task: str) -> dict[str, Any]:
    """What a record says of the run that asks for it, which no signature depends on."""
    return {
        "experiment": config.experiment_name,
        "rung": config.model.rung,
        "model": config.model.name,
        "base_tokens": config.model.base_tokens,
        "task": task,
        "settings": derived.settings(config),
        "seed": config.seed,
    }


def _recall(config: Config, signature: str, task: str) -> list[Record] | None:
    """What was kept under a signature, named as this run names things; None if nothing was, or nothing readable.

    Records of an older version that keep numbers in their metrics' names are refused, so they are measured again.
    """
    try:
        kept = json.loads(_kept(config, signature).read_text())
        return [Record(**{**row, **_names(config, task)}) for row in kept]
    except (OSError, ValueError, TypeError):
        return None


def _keep(config: Config, signature: str, found: list[Record]) -> None:
    if distributed.is_first():
        files.write_text(_kept(config, signature), json.dumps([asdict(record) for record in found]))


def _kept(config: Config, signature: str) -> Path:
    return Path(config.paths.runs) / "records" / f"{signature}.json"


def _merge(config: Config, found: list[Record]) -> None:
    """Put records into the experiment's rows."""
    if not distributed.is_first():
        return
    replaced = records.merge(results_folder(config) / ROWS, found)
    if replaced:
        print(
            f"note: {replaced} rows of {job_name(config)} measured under other settings were replaced; "
            "to keep both, set experiment_name=<another>",
            file=sys.stderr,
        )


def _theory(config: Config, _: Tracker) -> list[Record]:
    """The numbers that Figures 2 and 5 state, and the audit of the bounds by head dimension."""
    _check_folders(config)
    signature = records.signature({"theory": 4, "versions": records.versions()})
    found = _recall(config, signature, config.task.name)
    if found is None:
        started = time.perf_counter()
        measured = theory.measured()
        seconds = time.perf_counter() - started
        found = [_record(config, value, signature, seconds, None, THEORY_DTYPE, config.task.name) for value in measured]
        _keep(config, signature, found)
    _merge(config, found)
    return found


def _export(config: Config, tracker: Tracker) -> list[Record]:
    """Write the extension as a plain folder."""
    assert isinstance(config.task, ExportTask)
    with distributed.first_alone():
        prepared = prepare(config, tracker.log)
    model, place = prepared.model, Path(config.task.folder)
    if distributed.is_first():
        loading.export(model, prepared.tokenizer, place, config.task.dtype)
        files.write_text(place / card.NAME, card.card(config, prepared))
    return []


def _tokenizer(config: Config, _: Tracker) -> list[Record]:
    """Train the tiny rung's tokenizer on parts of every document of the mixture."""
    assert isinstance(config.task, TokenizerTask)
    names = [name for name in config.train.mixture if name != RECALL]
    texts = chain.from_iterable(tokenizer.excerpts(corpora.load(config.data, name)) for name in names)
    tokenizer.save(tokenizer.train(texts, config.task.vocabulary), Path(config.task.folder))
    return []


def _report(config: Config, _: Tracker) -> list[Record]:
    """Make sure that there is something to render: rendering is how every run ends."""
    if not (results_folder(config) / ROWS).is_file():
        raise UsageError(f"{results_folder(config) / ROWS} holds no records: run the experiment first")
    return []


def _plan(config: Config, _: Tracker) -> list[Record]:
    """Print what the run would cost."""
    shape = Shape.of(loading.architecture(config.model, Path(config.paths.cache)))
    print_costs(costs(config, shape))
    return []


JOBS: dict[str, Callable[[Config, Tracker], list[Record]]] = {
    "theory": _theory,
    "export": _export,
    "tokenizer": _tokenizer,
    "report": _report,
    "plan": _plan,
}
