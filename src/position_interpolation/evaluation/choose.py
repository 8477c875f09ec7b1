"""Which module measures which task."""

from collections.abc import Callable, Iterator
from typing import Any

from position_interpolation.evaluation.measurement import Measurement
from position_interpolation.evaluation.passkey import retrieval
from position_interpolation.evaluation.perplexity import perplexities
from position_interpolation.evaluation.positions import positions
from position_interpolation.evaluation.tuning_curve import tuning_curve
from position_interpolation.extension import Prepared

TASKS: dict[str, Callable[[Prepared, Any], Iterator[Measurement]]] = {
    "perplexity": perplexities,
    "passkey": retrieval,
    "positions": positions,
}


def measurements(prepared: Prepared) -> Iterator[Measurement]:
    """What the run's task asks of the extension, in order; of a tuned one its loss curve first."""
    task = prepared.config.task
    yield from tuning_curve(prepared)
    yield from TASKS[task.kind](prepared, task)
