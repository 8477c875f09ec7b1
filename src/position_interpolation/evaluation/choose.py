"""Which module measures which task."""

from collections.abc import Callable, Iterator
from typing import Any

from position_interpolation.evaluation.benchmarks import benchmarks
from position_interpolation.evaluation.govreport import summaries
from position_interpolation.evaluation.heads import real_heads
from position_interpolation.evaluation.measurement import Measurement
from position_interpolation.evaluation.passkey import retrieval
from position_interpolation.evaluation.perplexity import perplexities
from position_interpolation.evaluation.positions import positions
from position_interpolation.evaluation.tuning_curve import tuning_curve
from position_interpolation.extension import Prepared

TASKS: dict[str, Callable[[Prepared, Any], Iterator[Measurement]]] = {
    "perplexity": perplexities,
    "passkey": retrieval,
    "govreport": summaries,
    "positions": positions,
    "benchmarks": benchmarks,
    "heads": real_heads,
}


def measurements(prepared: Prepared) -> Iterator[Measurement]:
    """What the run's task asks of the extension, in order; last, of a tuned one, its loss curve.

    A task reads and checks what it needs before the first measurement, which is when tuning starts.
    """
    task = prepared.config.task
    yield from TASKS[task.kind](prepared, task)
    yield from tuning_curve(prepared)
