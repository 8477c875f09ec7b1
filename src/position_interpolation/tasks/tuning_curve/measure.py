"""The training losses of an extension as records, so that its curve is drawn from rows.jsonl like all else."""

from collections.abc import Iterator, Sequence

import numpy as np

from position_interpolation.evidence import records
from position_interpolation.evidence.intervals import Estimate
from position_interpolation.evidence.select import TRAINING_LOSS
from position_interpolation.settings import derived, naming
from position_interpolation.tasks.measurement import Measured, Measurement
from position_interpolation.text import corpora
from position_interpolation.tuning.checkpoints import loss_curve
from position_interpolation.tuning.extension import Prepared

POINTS = 50  # at most; a curve needs no more


def measurements(prepared: Prepared) -> Iterator[Measurement]:
    """The mean loss of each block of steps, `at` the step where the block ends; none if untuned.

    The records' task is called `tuning`, so that several tasks of one extension share a curve.
    """
    steps, train = prepared.treatment.steps, prepared.config.train
    if steps == 0:
        return
    sequence = derived.sequence(prepared.config)
    mixture = corpora.shares(prepared.config.data, train.mixture)
    data = {
        "name": mixture if train.chunk is None else f"{mixture}, in chunks of {sequence} tokens (PoSE)",
        "source": prepared.config.data.source,
        "sha256": records.signature(prepared.parts["training"]["data"]),
        "ids": None,
    }

    def measure() -> list[Measured]:
        assert prepared.place is not None  # a tuned extension has a checkpoint, which holds the loss curve
        curve = loss_curve(prepared.place.parent, steps)
        return [
            Measured(TRAINING_LOSS, Estimate(loss), data, None, step * train.batch_size * sequence, at=step)
            for step, loss in averaged(curve)
        ]

    parts = {"extension": prepared.parts, "curve": 1, "points": POINTS}
    yield Measurement(parts, measure, task=naming.TUNING)


def averaged(curve: Sequence[dict[str, float]], points: int = POINTS) -> list[tuple[int, float]]:
    """(last step, mean loss) of at most `points` blocks of equally many steps; the curve is ascending."""
    if not curve:
        return []
    blocks = np.array_split(np.array([(row["step"], row["loss"]) for row in curve]), min(points, len(curve)))
    return [(round(block[-1, 0]), float(block[:, 1].mean())) for block in blocks]
