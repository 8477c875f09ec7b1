"""RoPE methods: from a method's name to the `rope_parameters` of a model's configuration.

Position Interpolation (equation 4) maps position m to m L / L', which is the same as scaling every frequency theta_j by
L / L': transformers calls it rope type `linear` with factor L' / L.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from position_interpolation.settings.errors import UsageError

Parameters = dict[str, Any]


def _as_it_is(base: Parameters, factor: float) -> Parameters:
    """RoPE unchanged, whatever the factor."""
    return dict(base)


def _interpolated(base: Parameters, factor: float) -> Parameters:
    """Every position divided by s (equation 4)."""
    kind = base.get("rope_type", "default")
    if kind != "default":
        raise UsageError(f"the base's RoPE is already scaled (rope type '{kind}'): pi needs an unscaled base")
    return {**base, "rope_type": "linear", "factor": float(factor)}


# Each method's complete rope parameters, from the base's own and s, in the words of transformers' rope types.
METHODS: dict[str, Callable[[Parameters, float], Parameters]] = {
    "none": _as_it_is,
    "extrapolation": _as_it_is,
    "pi": _interpolated,
}


def rope_parameters(base: Parameters, method: str, factor: float) -> Parameters:
    """The complete rope parameters of an extension.

    Args:
        base: the base model's own parameters, with `rope_theta`.
        method: `none` and `extrapolation` leave RoPE as it is, `pi` interpolates (equation 4).
        factor: s = L' / L, at least 1.

    Raises:
        UsageError: an unknown method, a base whose RoPE it cannot take, or a rope type that would change nothing.
    """
    if method not in METHODS:
        raise UsageError(f"method '{method}' is not known: choose one of {', '.join(METHODS)}")
    found = METHODS[method](base, factor)
    if found.get("rope_type") == "dynamic":  # it reads max_position_embeddings, which is L' here, as L
        raise UsageError("rope type 'dynamic' takes L' for the base's window and changes nothing: use another")
    return found


def inverse_frequencies(head_dimension: int, rope_theta: float, factor: float = 1.0) -> NDArray[np.float64]:
    """theta_j / s in float64, j = 0 .. d/2 - 1, with theta_j = rope_theta^(-2j/d) (section 2.1)."""
    exponents = np.arange(0, head_dimension, 2, dtype=np.float64) / head_dimension
    return rope_theta**-exponents / factor
