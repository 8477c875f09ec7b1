"""What a run measures is kept: under its signature, so that no run measures it again, and in the experiment's rows."""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from position_interpolation.app.tracking import job_name
from position_interpolation.evidence import records
from position_interpolation.evidence.lines import EXTENSION, LARGEST
from position_interpolation.evidence.records import BY_BASE_TOKENS, ROWS, Record
from position_interpolation.machine import compute, distributed, files
from position_interpolation.settings.derived import results_folder, settings
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config
from position_interpolation.tasks.measurement import Measured, Measurement
from position_interpolation.tuning.extension import Prepared

PLAIN_DTYPE = "float64"  # of numbers that are measured without a model


def check_folders(config: Config) -> None:
    """Refuse, before anything is computed, folders in which the results could not be kept, or damaged records."""
    kept = {"results": results_folder(config), "runs": Path(config.paths.runs), "cache": Path(config.paths.cache)}
    for key, folder in kept.items():
        try:
            files.write_text(folder / ".writable", "")
            (folder / ".writable").unlink(missing_ok=True)  # a job beside this one may have removed it
        except OSError as error:
            raise UsageError(f"{folder} cannot be written ({error.strerror}): set paths.{key}") from error
    records.read(kept["results"] / ROWS)
    if config.experiment_name == BY_BASE_TOKENS and config.model.base_tokens is None:
        raise UsageError("this experiment compares bases by the tokens they have seen: set model.base_tokens")


def measure(config: Config, prepared: Prepared | None, signature: str, measurement: Measurement) -> list[Record]:
    """Measure on an extension, or without a model, turn the numbers into records and keep these.

    Raises:
        UsageError: a number is not finite.
    """
    started = time.perf_counter()
    measured = measurement.measure()
    seconds = time.perf_counter() - started
    broken = [value.metric for value in measured if not abs(value.estimate.value) < LARGEST]  # NaN among them
    if broken:
        remedy = "lower train.learning_rate or correct the model"
        raise UsageError(f"{broken[0]} is not a finite number: the model's losses are NaN or infinite; {remedy}")
    subject = None if prepared is None else measurement.subject(prepared)
    treatment: dict[str, Any] = dict.fromkeys(EXTENSION) if subject is None else vars(subject.treatment)
    run: dict[str, Any] = {
        **_names(config, measurement.task or config.task.name),
        **treatment,
        "weights_sha256": None if subject is None else subject.weights_sha256,
        "signature": signature,
        "commit": records.commit(),
        "versions": records.versions(),
        "device": compute.description(config.compute),
        "dtype": measurement.dtype or (PLAIN_DTYPE if subject is None else compute.dtype(config.compute)),
        "seconds": round(seconds, 3),
    }
    found = [Record(**run, **_numbers(value)) for value in measured]
    keep(config, signature, found)
    return found


def _numbers(measured: Measured) -> dict[str, Any]:
    """What a record says about one measured number."""
    own = {name: value for name, value in vars(measured).items() if name != "estimate"}
    return {**own, "value": measured.estimate.value, "ci_low": measured.estimate.low, "ci_high": measured.estimate.high}


def _names(config: Config, task: str) -> dict[str, Any]:
    """What a record says about the run that asks for it, on which no signature depends."""
    return {
        "experiment": config.experiment_name,
        "rung": config.model.rung,
        "model": config.model.name,
        "base_tokens": config.model.base_tokens,
        "task": task,
        "settings": settings(config),
        "seed": config.seed,
    }


def found_before(config: Config, signature: str, task: str) -> list[Record] | None:
    """The records kept under a signature, under the names of this run.

    None if there are none, or they are damaged or of an older version, which has no fingerprint. None also if the
    numbers are to be measured again, or if somebody deleted their rows from the experiment's file.
    """
    try:
        kept = json.loads(_kept(config, signature).read_text())
        if kept["sha256"] != records.signature({"records": kept["records"]}):
            return None
        found = [Record(**{**row, **_names(config, task)}) for row in kept["records"]]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    deleted = False
    if _merged(config, signature).is_file():  # they were once in the experiment's rows
        there = {record.measurement for record in records.read(results_folder(config) / ROWS)}
        deleted = any(record.measurement not in there for record in found)
    return None if config.measure_again or deleted else found


def keep(config: Config, signature: str, found: list[Record]) -> None:
    """Keep records under their signature."""
    if distributed.is_first():
        rows = json.loads(json.dumps([asdict(record) for record in found]))
        kept = {"records": rows, "sha256": records.signature({"records": rows})}
        files.write_text(_kept(config, signature), json.dumps(kept))


def _kept(config: Config, signature: str) -> Path:
    return Path(config.paths.runs) / "records" / f"{signature}.json"


def _merged(config: Config, signature: str) -> Path:
    """A file that exists once the records of a signature have been put into this experiment's rows."""
    place = os.path.relpath(results_folder(config), config.paths.runs)
    return Path(config.paths.runs) / "merged" / f"{signature}-{records.signature({'place': place})}"


def merge(config: Config, signature: str, found: list[Record]) -> None:
    """Put records into the experiment's rows."""
    if not distributed.is_first():
        return
    replaced = records.merge(results_folder(config) / ROWS, found)
    files.write_text(_merged(config, signature), "")
    if replaced:
        fact = f"{replaced} rows of {job_name(config)} measured under other settings were replaced"
        print(f"note: {fact}; to keep both, set experiment_name=<another>", file=sys.stderr)
