"""What a model's heads have in common, and which spans are scored."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from position_interpolation.tasks.theory.bounds import Floats, partial_sum_magnitude

Integers = NDArray[np.int64]

REACH = 4  # spans are followed to 4 L


@dataclass(frozen=True)
class Geometry:
    """What a model's heads have in common: d, the base c of their frequencies, the window L; which spans are scored."""

    head_dim: int
    base: float
    window: int
    wanted: int = 4096  # spans to score

    @property
    def step(self) -> int:
        """Distance between two spans that are scored."""
        return max(1, REACH * self.window // self.wanted)

    @cached_property
    def spans(self) -> Integers:
        """The spans that are scored, evenly spaced over [0, 4 L)."""
        return np.arange(0, REACH * self.window, self.step)

    @cached_property
    def edges(self) -> Integers:
        """Where blocks of L / 4 spans start, and where the last one stops."""
        return np.unique(np.arange(4 * REACH + 1) * self.window // 4)

    @cached_property
    def magnitudes(self) -> Floats:
        """B(s) at every integer span of [0, 4 L) (eq. 8)."""
        return partial_sum_magnitude(np.arange(REACH * self.window), self.head_dim, self.base)
