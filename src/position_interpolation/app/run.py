"""One run: build the extension, measure the task, write the records, mirror them to W&B."""

from collections.abc import Sequence
from functools import partial

from position_interpolation.app import checks, keep
from position_interpolation.app.tools import TOOLS
from position_interpolation.app.tracking import Tracker, job_name
from position_interpolation.evidence import records
from position_interpolation.evidence.records import Record
from position_interpolation.machine import compute, distributed
from position_interpolation.settings.schema import Config
from position_interpolation.tasks.registry import measurements
from position_interpolation.tuning.extension import prepare


def run(config: Config) -> float | None:
    """Carry out one run, reusing what was measured under the same signature; return the objective of a search."""
    checks.check(config)
    compute.set_up(config.compute)
    with Tracker(config, job_name(config)) as tracker, compute.within_memory():
        return objective(TOOLS.get(config.task.kind, _evaluate)(config, tracker) or [])


def objective(measured: Sequence[Record]) -> float | None:
    """Perplexity, protocol `token`, at the largest window measured; None if there is none."""
    found = [record for record in measured if (record.metric, record.protocol) == ("perplexity", "token")]
    return max(found, key=lambda record: record.eval_window or 0).value if found else None


def _evaluate(config: Config, tracker: Tracker) -> list[Record]:
    """Measure the task on the extension, signature by signature, so that a killed run keeps what it has."""
    with distributed.first_alone():
        keep.check_folders(config)
        prepared = prepare(config, tracker.log)
    everything = []
    for measurement in measurements(prepared):
        signature = records.signature(measurement.parts)
        task = measurement.task or config.task.name
        found = distributed.agreed(partial(keep.found_before, config, signature, task))
        if found is None:
            tracker.start()
            found = keep.measure(config, prepared, signature, measurement)
            tracker.log_records(found)
        keep.merge(config, signature, found)
        measurement.beside(signature)
        everything += found
    return everything
