"""Which module measures which task."""

from collections.abc import Callable, Iterator
from typing import Any

from position_interpolation.tasks.benchmarks import measure as benchmarks
from position_interpolation.tasks.govreport import measure as govreport
from position_interpolation.tasks.heads import measure as heads
from position_interpolation.tasks.measurement import Measurement
from position_interpolation.tasks.passkey import measure as passkey
from position_interpolation.tasks.perplexity import measure as perplexity
from position_interpolation.tasks.positions import measure as positions
from position_interpolation.tasks.tuning_curve import measure as tuning_curve
from position_interpolation.tuning.extension import Prepared

TASKS: dict[str, Callable[[Prepared, Any], Iterator[Measurement]]] = {
    "perplexity": perplexity.measurements,
    "passkey": passkey.measurements,
    "govreport": govreport.measurements,
    "positions": positions.measurements,
    "benchmarks": benchmarks.measurements,
    "heads": heads.measurements,
}


def measurements(prepared: Prepared) -> Iterator[Measurement]:
    """What the run's task asks of the extension, in order; last, of a tuned one, its loss curve.

    A task reads and checks what it needs before the first measurement, which is when tuning starts.
    """
    task = prepared.config.task
    yield from TASKS[task.kind](prepared, task)
    yield from tuning_curve.measurements(prepared)
