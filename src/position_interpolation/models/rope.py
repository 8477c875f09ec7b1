"""Rotary embeddings: a base's geometry, how an extension rotates, and how transformers is told.

What a method (models/methods.py) returns is translated for transformers by `rope_parameters` alone, and compared with
the model that was built by `check_rotation`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from position_interpolation.settings.errors import UsageError

Parameters = dict[str, Any]  # `rope_parameters` of a transformers configuration
Frequencies = NDArray[np.float64]
TOLERANCE = 1e-5  # relative, for frequencies that a model holds in float32
SAME = 1e-12  # relative, for frequencies that differ by rounding alone
STILL = 1e30  # divisor of a frequency that stands still: in no window does it turn by the last bit of a float32


@dataclass(frozen=True)
class Geometry:
    """A base's rotary embedding."""

    theta: float  # rope_theta, the paper's c
    head_dimension: int  # d
    window: int  # L, tokens

    @property
    def frequencies(self) -> Frequencies:
        """theta_j in radians a token, j = 0 .. d/2 - 1 (section 2.1); read-only."""
        found = inverse_frequencies(self.head_dimension, self.theta)
        found.flags.writeable = False
        return found

    @property
    def rotations(self) -> Frequencies:
        """How often each pair turns in a window of L: r_j = L theta_j / 2 pi."""
        return self.window * self.frequencies / (2 * np.pi)


@dataclass(frozen=True)
class Rotation:
    """How an extension rotates queries and keys."""

    frequencies: Frequencies  # (d / 2,) radians a token
    attention_scaling: float = 1.0  # factor of cos and sin, hence its square of every attention score
    native: Parameters | None = None  # the same frequencies as a rope type of transformers, where it has one


def rope_parameters(own: Parameters, rotation: Rotation, base: Geometry, factor: float) -> Parameters:
    """The complete rope parameters of a rotation, from a base's own of rope type `default`; s is at least 1.

    Other readers of an exported model know `default` and `linear` best, then `yarn` and `llama3`, so these are used
    where they fit exactly. Any other rotation is written as `longrope`, whose factors are free; its two lists are the
    same, so that it never changes with the length of a text.
    """
    plain = rotation.attention_scaling == 1
    with np.errstate(divide="ignore"):
        ratios = np.minimum(base.frequencies / rotation.frequencies, STILL)
    if plain and np.allclose(ratios, 1, rtol=SAME):
        return {**own, "rope_type": "default"}
    if plain and np.allclose(ratios, factor, rtol=SAME):
        return {**own, "rope_type": "linear", "factor": float(factor)}
    if plain and len(ratios) > 1:  # of one frequency, every theta makes 1
        with np.errstate(divide="ignore", over="ignore"):
            other_theta = float(rotation.frequencies[1] ** (-base.head_dimension / 2))
        same_form = inverse_frequencies(base.head_dimension, other_theta)
        if other_theta < np.inf and np.allclose(rotation.frequencies, same_form, rtol=SAME):
            return {**own, "rope_type": "default", "rope_theta": other_theta}
    # Without `original_max_position_embeddings` transformers would take L' for the base's window.
    scaled = {**own, "factor": float(factor), "original_max_position_embeddings": base.window}
    if rotation.native is not None and rotation.native["rope_type"] == "yarn":
        return {**scaled, **rotation.native, "attention_factor": float(rotation.attention_scaling)}
    if rotation.native is not None and plain:  # transformers' `llama3` reads no attention_factor
        return {**scaled, **rotation.native}
    return {
        **scaled,
        "rope_type": "longrope",
        "short_factor": ratios.tolist(),
        "long_factor": ratios.tolist(),
        "attention_factor": float(rotation.attention_scaling),
    }


def check_rotation(model: Any, rotation: Rotation, name: str) -> None:
    """Refuse a model that was built and does not rotate as its method says."""
    built = model.model.rotary_emb
    found = built.inv_freq.double().cpu().numpy()
    close = np.allclose(found, rotation.frequencies, rtol=TOLERANCE, atol=2 / STILL)
    if not close or not np.isclose(built.attention_scaling, rotation.attention_scaling, rtol=TOLERANCE):
        built_otherwise = f"transformers built other frequencies or attention scaling than method={name} asks for"
        raise UsageError(f"{built_otherwise}: set its version to that of constraints.txt")


def inverse_frequencies(head_dimension: int, rope_theta: float, factor: float = 1.0) -> Frequencies:
    """theta_j / s in float64, j = 0 .. d/2 - 1, with theta_j = rope_theta^(-2j/d) (section 2.1)."""
    exponents = np.arange(0, head_dimension, 2, dtype=np.float64) / head_dimension
    return rope_theta**-exponents / factor
