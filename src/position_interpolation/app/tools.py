"""Tools, what a run can do beside measuring an extension: section 2, export, a tokenizer, pages, a plan, timing."""

import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import torch

from position_interpolation.app import keep
from position_interpolation.app.tracking import Tracker
from position_interpolation.evidence import records
from position_interpolation.evidence.records import ROWS, Record
from position_interpolation.machine import distributed, files
from position_interpolation.models import export, loading
from position_interpolation.planning import timing
from position_interpolation.planning.costs import costs
from position_interpolation.planning.shape import Shape
from position_interpolation.planning.tables import print_costs
from position_interpolation.settings.derived import results_folder
from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.schema import RECALL, Config, ExportTask, TokenizerTask
from position_interpolation.tasks.measurement import Measurement
from position_interpolation.tasks.theory import measure as theory
from position_interpolation.text import corpora, tokenizer
from position_interpolation.tuning import card
from position_interpolation.tuning.extension import prepare


def _export(config: Config, tracker: Tracker) -> None:
    """Write the extension as a plain folder."""
    assert isinstance(config.task, ExportTask)
    with distributed.first_alone():
        prepared = prepare(config, tracker.log)
    treatment, place = prepared.treatment, Path(config.task.folder)
    text = corpora.shares(config.data, config.train.mixture)
    tuned = f"{treatment.steps} steps on {text}" if treatment.steps else "untuned"
    called = f"{config.model.name}, {treatment.method} x{treatment.factor:g}, {tuned}"
    if distributed.is_first() and treatment.steps and not prepared.is_tuned():
        none = f"no checkpoint of these settings in {config.paths.runs}"
        print(f"note: {called}: {none}, so it is tuned first", file=sys.stderr)
    _ = prepared.place  # tuned, if need be, by all processes
    if distributed.is_first():
        model = prepared.loaded(torch.float32)  # whatever it is measured in; a second rounding would be one too many
        readme, base = card.card(config, prepared), loading.folder(config.model, prepared.cache)
        export.export(model, prepared.tokenizer, place, config.task.dtype, readme, base)
        serve = f"vllm serve {place} --max-model-len {treatment.window}"
        print(f"Exported {called}: {place}, {config.task.dtype}, window {treatment.window} ({serve})")


def _tokenizer(config: Config, _: Tracker) -> None:
    """Train the tiny rung's tokenizer on excerpts of every document of the mixture."""
    assert isinstance(config.task, TokenizerTask)
    names = [name for name in config.train.mixture if name != RECALL]
    texts = chain.from_iterable(tokenizer.excerpts(corpora.load(config.data, name)) for name in names)
    trained, place = tokenizer.train(texts, config.task.vocabulary), Path(config.task.folder)
    with files.writing(place, Exception):  # tokenizers has none more exact
        trained.save_pretrained(place)


def _report(config: Config, _: Tracker) -> None:
    """Refuse a results folder without records; every run renders at its end, so nothing else is to be done."""
    if not (rows := results_folder(config) / ROWS).is_file():
        raise UsageError(f"{rows} holds no records: run the experiment first")


def _plan(config: Config, _: Tracker) -> None:
    """Print what the run would cost."""
    try:
        shape = Shape.of(loading.stated_config(config.model, Path(config.paths.cache)))
        found = costs(config, shape)
    except UsageError:
        raise
    except Exception as error:  # of odd configurations transformers, and arithmetic, raise what they like
        fault = f"{config.model.name} cannot be planned with ({shortened(error)})"
        raise UsageError(f"{fault}: correct its config.json") from error
    print_costs(found)


THEORY_DTYPE = "float32 and float64"  # the metric says which of them


def _theory(config: Config, _: Tracker) -> list[Record]:
    """The numbers that Figures 2 and 5 state, and the audit of the bounds by head dimension."""
    keep.check_folders(config)
    measurement = Measurement({"theory": 4, "versions": records.versions()}, theory.measured, dtype=THEORY_DTYPE)
    signature = records.signature(measurement.parts)
    found = keep.found_before(config, signature, config.task.name)
    if found is None:
        found = keep.measure(config, None, signature, measurement)
    keep.merge(config, signature, found)
    return found


def _timing(config: Config, _: Tracker) -> None:
    """Print how long the run would take here."""
    timing.time_run(config)


TOOLS: dict[str, Callable[[Config, Tracker], list[Record] | None]] = {
    "theory": _theory,
    "export": _export,
    "tokenizer": _tokenizer,
    "report": _report,
    "plan": _plan,
    "timing": _timing,
}
