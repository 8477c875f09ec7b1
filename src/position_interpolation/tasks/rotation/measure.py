"""What a method does to each frequency, as records: computed in float64, no model runs."""

from collections.abc import Iterator

from position_interpolation.evidence.intervals import Estimate
from position_interpolation.models import extending
from position_interpolation.models.loading import base_config
from position_interpolation.models.rope import Geometry, Rotation
from position_interpolation.tasks.measurement import Measured, Measurement
from position_interpolation.tasks.rotation.config import RATIO, SCALING, WAVELENGTH, RotationTask
from position_interpolation.tuning.extension import Prepared

DATA = {"name": "rotation", "source": "computed", "sha256": None, "ids": None}


def measurements(prepared: Prepared, task: RotationTask) -> Iterator[Measurement]:
    """Every frequency and the attention scaling of the run's method."""
    model, method = prepared.config.model, prepared.config.method

    def measure() -> list[Measured]:
        base = extending.geometry(base_config(model, prepared.cache), model.window)
        return list(numbers(base, extending.rotation(model, prepared.cache, method, prepared.treatment.factor)))

    yield Measurement({"extension": prepared.parts, "rotation": 1}, measure, dtype="float64")


def numbers(base: Geometry, found: Rotation) -> Iterator[Measured]:
    """Each number is `at` the index j of its frequency; the fastest has index 0.

    `frequency_ratio` is the new frequency over the base's: 1 where it is kept, 1 / s where it is interpolated, 0 where
    it stands still. `wavelength` is that of the base's frequency, in windows L.
    """
    for index, (own, new, turns) in enumerate(zip(base.frequencies, found.frequencies, base.rotations, strict=True)):
        yield _number(RATIO, new / own, index)
        yield _number(WAVELENGTH, 1 / turns, index)
    yield _number(SCALING, found.attention_scaling)


def _number(metric: str, value: float, at: int | None = None) -> Measured:
    return Measured(metric, Estimate(float(value)), DATA, at=at)
