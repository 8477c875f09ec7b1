"""RoPE methods: from the geometry of a base's rotary embedding, and s, to how an extension rotates.

A method is a pure function in float64. What it returns is carried to transformers in one place, `rope_parameters`, and
held against the model that was built, `check_rotation`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from position_interpolation.settings.errors import UsageError

Parameters = dict[str, Any]  # `rope_parameters` of a transformers configuration
Frequencies = NDArray[np.float64]
TOLERANCE = 1e-5  # relative, of frequencies that the model holds in float32


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


@dataclass(frozen=True)
class Rotation:
    """How an extension rotates queries and keys."""

    frequencies: Frequencies  # (d / 2,) radians a token
    attention_scaling: float = 1.0  # factor of cos and sin, hence its square of every attention score


Method = Callable[[Geometry, float], Rotation]


def unchanged(base: Geometry, factor: float) -> Rotation:
    """RoPE as the base has it, whatever the factor."""
    return Rotation(base.frequencies)


def interpolated(base: Geometry, factor: float) -> Rotation:
    """Position Interpolation: position m becomes m / s (equation 4), so every frequency is divided by s."""
    return Rotation(base.frequencies / factor)


# The order of tables and figures: the paper's three, then others.
METHODS: dict[str, Method] = {"none": unchanged, "extrapolation": unchanged, "pi": interpolated}


def rotation(method: str, base: Geometry, factor: float) -> Rotation:
    """How a method rotates at s = `factor`.

    Raises:
        UsageError: an unknown method, or one that returns no frequency or scaling that can be used.
    """
    if method not in METHODS:
        raise UsageError(f"method '{method}' is not known: choose one of {', '.join(METHODS)}")
    found = METHODS[method](base, factor)
    if found.frequencies.shape != (base.head_dimension // 2,) or not (found.frequencies > 0).all():
        raise UsageError(f"method '{method}' must return {base.head_dimension // 2} frequencies above 0")
    if not 0 < found.attention_scaling < np.inf:
        raise UsageError(f"method '{method}' returns attention scaling {found.attention_scaling}: expected above 0")
    return found


def rope_parameters(own: Parameters, method: str, base: Geometry, factor: float) -> Parameters:
    """The complete rope parameters of an extension, in the words of transformers' rope types.

    A rotation that `default` or `linear` says exactly is written so, for other readers of an exported model know these
    best. Any other is carried by `longrope`: its factors are free, and both of its lists are the same, so that it never
    changes with the length of a text.

    Args:
        own: the base's own parameters, with `rope_theta`.
        method: one of METHODS.
        base: the base's geometry.
        factor: s = L' / L, at least 1.

    Raises:
        UsageError: an unknown method, or one that changes a base whose RoPE is scaled already.
    """
    wanted = rotation(method, base, factor)
    kind = own.get("rope_type", "default")
    if METHODS[method] is unchanged:
        if kind == "dynamic" and factor > 1:
            raise UsageError("rope type 'dynamic' takes L' for the base's window and changes nothing: use another base")
        return dict(own)
    if kind != "default":
        raise UsageError(f"the base's RoPE is already scaled (rope type '{kind}'): {method} needs an unscaled base")
    ratios = base.frequencies / wanted.frequencies
    if wanted.attention_scaling == 1 and np.allclose(ratios, factor, rtol=1e-12):
        return {**own, "rope_type": "linear", "factor": float(factor)}
    return {
        **own,
        "rope_type": "longrope",
        "short_factor": ratios.tolist(),
        "long_factor": ratios.tolist(),
        "factor": float(factor),
        "attention_factor": float(wanted.attention_scaling),
        "original_max_position_embeddings": base.window,  # left out, transformers would take L' for it
    }


def check_rotation(model: Any, method: str, base: Geometry, factor: float) -> None:
    """The model that was built rotates as the method says.

    Raises:
        UsageError: it does not.
    """
    if METHODS[method] is unchanged:  # whatever the base has is right
        return
    wanted, built = rotation(method, base, factor), model.model.rotary_emb
    close = np.allclose(built.inv_freq.double().cpu().numpy(), wanted.frequencies, rtol=TOLERANCE, atol=0)
    if not close or not np.isclose(built.attention_scaling, wanted.attention_scaling, rtol=TOLERANCE):
        raise UsageError(
            f"transformers built other frequencies or attention scaling than method={method} asks for: this version "
            "does not carry it; use the one that constraints.txt names"
        )


def inverse_frequencies(head_dimension: int, rope_theta: float, factor: float = 1.0) -> Frequencies:
    """theta_j / s in float64, j = 0 .. d/2 - 1, with theta_j = rope_theta^(-2j/d) (section 2.1)."""
    exponents = np.arange(0, head_dimension, 2, dtype=np.float64) / head_dimension
    return rope_theta**-exponents / factor
