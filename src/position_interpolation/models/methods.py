"""RoPE methods as pure functions in float64: Position Interpolation and what it is compared with.

A method takes the geometry of a base's rotary embedding, s = L' / L and its own options, which are keyword arguments
with defaults. It returns how the extension rotates, and refuses options that make no sense. A new method is a function
here and its line in METHODS.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from position_interpolation.models.rope import Frequencies, Geometry, Rotation, inverse_frequencies
from position_interpolation.settings import checks
from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.schema import Method

Function = Callable[..., Rotation]  # (Geometry, factor, *, options) -> Rotation
MOST = 100  # largest attention scaling: its square multiplies scores, and losses must stay finite


def unchanged(base: Geometry, factor: float) -> Rotation:
    """RoPE as the base has it, whatever the factor."""
    return Rotation(base.frequencies)


def interpolated(base: Geometry, factor: float) -> Rotation:
    """Position Interpolation: position m becomes m / s (equation 4), so every frequency is divided by s."""
    return Rotation(base.frequencies / factor)


def ntk(base: Geometry, factor: float, *, stretch: float | None = None) -> Rotation:
    """NTK-aware scaling (bloc97 2023; YaRN, arXiv:2309.00071, section 3.1): theta' = theta s^(d / (d - 2)).

    The slowest frequency is divided by s, the fastest stays. `stretch` replaces s, which is too small for texts of
    L' = s L tokens, as the fast frequencies are not interpolated.
    """
    if stretch is not None and stretch < 1:
        raise UsageError(f"method.options.stretch={stretch}: expected at least 1, as it stands in the place of s")
    power = base.head_dimension / (base.head_dimension - 2)
    theta = base.theta * (factor if stretch is None else stretch) ** power
    return Rotation(inverse_frequencies(base.head_dimension, theta))


def by_parts(
    base: Geometry, factor: float, *, slow: float = 1.0, fast: float = 32.0, ramp: str = "index", truncate: bool = True
) -> Rotation:
    """NTK-by-parts (arXiv:2309.00071, section 3.2): rotations decide if a frequency is kept, interpolated or between.

    In L tokens frequency j turns r = L theta_j / 2 pi times. Frequencies that turn fewer than `slow` times (alpha in
    the paper) are divided by s, those that turn more than `fast` times (beta) are kept. Between them the share that is
    interpolated is linear in j (ramp `index`, as in YaRN's code and transformers) or in r (ramp `rotations`, as in the
    paper). By the two a frequency differs by up to two thirds. `truncate` widens a ramp of indices to whole ends, as
    YaRN's code does.
    """
    if ramp not in ("index", "rotations") or not 0 < slow < fast:
        given = f"ramp={ramp}, slow={slow}, fast={fast}"
        raise UsageError(f"method.options {given}: expected ramp index or rotations, 0 < slow < fast")
    if ramp == "rotations":
        return Rotation(_between(base, factor, 1 - np.clip((base.rotations - slow) / (fast - slow), 0, 1)))
    low, high = (
        base.head_dimension * math.log(base.window / (2 * math.pi * turns)) / (2 * math.log(base.theta))
        for turns in (fast, slow)
    )
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, base.head_dimension - 1)
    indices = np.arange(base.head_dimension // 2)
    interpolated_share = np.clip((indices - low) / (high - low or 0.001), 0, 1)
    native = {"rope_type": "yarn", "beta_slow": slow, "beta_fast": fast, "truncate": truncate}
    return Rotation(_between(base, factor, interpolated_share), native=native)


def yarn(
    base: Geometry, factor: float, *, slow: float = 1.0, fast: float = 32.0, ramp: str = "index", truncate: bool = True
) -> Rotation:
    """YaRN (arXiv:2309.00071, equation 15): by parts, and attention scaled by 0.1 ln s + 1."""
    parts = by_parts(base, factor, slow=slow, fast=fast, ramp=ramp, truncate=truncate)
    return Rotation(parts.frequencies, 0.1 * math.log(factor) + 1, parts.native)


def llama3(base: Geometry, factor: float, *, low: float = 1.0, high: float = 4.0) -> Rotation:
    """Llama 3.1's scaling (its reference code): as by parts, with a ramp linear in rotations from `low` to `high`."""
    if not 0 < low < high:
        raise UsageError(f"method.options low={low}, high={high}: expected 0 < low < high")
    interpolated_share = 1 - np.clip((base.rotations - low) / (high - low), 0, 1)
    native = {"rope_type": "llama3", "low_freq_factor": low, "high_freq_factor": high}
    return Rotation(_between(base, factor, interpolated_share), native=native)


def abf(base: Geometry, factor: float, *, theta: float = 500_000.0) -> Rotation:
    """Adjusted base frequency (arXiv:2309.16039, section 4.1): another theta, whatever s."""
    if theta <= 1:
        raise UsageError(f"method.options.theta={theta}: expected above 1, such as 500000")
    return Rotation(inverse_frequencies(base.head_dimension, theta))


def longrope(
    base: Geometry, factor: float, *, factors: list[float] | None = None, rises: list[float] | None = None
) -> Rotation:
    """LongRoPE (arXiv:2402.13753) without its unscaled first tokens: a divisor for every frequency, found by search.

    Attention is scaled by sqrt(1 + ln s / ln L). `factors` are divisors at points evenly spaced over the frequencies,
    fastest first, with geometric interpolation between them; d / 2 divisors name each one. None: from 1 to s.

    `rises` can stand in their place. Each point then goes so many per cent of the way, in logarithms, from the point
    before it (at first 1) to s. So the divisors never fall and never pass s, and a search can vary the numbers freely:
    less than 0 counts as 0, more than 100 as 100.
    """
    given, named = [1.0, factor] if factors is None else list(factors), f"factors={factors}"
    if rises is not None:
        if factors is not None:
            raise UsageError("method.options.rises stands in the place of factors: set one of the two to null")
        given, named = (factor ** (1 - np.cumprod(1 - np.clip(rises, 0, 100) / 100))).tolist(), f"rises={rises}"
    count = base.head_dimension // 2
    if not 2 <= len(given) <= count or min(given) <= 0:
        expected = f"expected 2 to {count} numbers, one a frequency at most"
        raise UsageError(f"method.options.{named}: {expected}{'' if rises else ', above 0'}")
    places = np.linspace(0, 1, count)
    divisors = np.exp(np.interp(places, np.linspace(0, 1, len(given)), np.log(given)))
    return Rotation(base.frequencies / divisors, math.sqrt(1 + math.log(factor) / math.log(base.window)))


def p_rope(base: Geometry, factor: float, *, kept: float = 0.75) -> Rotation:
    """p-RoPE (arXiv:2410.06205): the share `kept` of the frequencies, fastest first, stays; the others stand still.

    With none kept this is DroPE (arXiv:2512.12167): no rotation, so nothing to extrapolate.
    """
    if not 0 <= kept <= 1:
        raise UsageError(f"method.options.kept={kept}: expected a share from 0 to 1")
    turning = np.arange(base.head_dimension // 2) < round(kept * (base.head_dimension // 2))
    return Rotation(np.where(turning, base.frequencies, 0.0))


def bands(base: Geometry, factor: float, *, first: int = 0, last: int | None = None) -> Rotation:
    """Interpolate the frequencies `first` to `last` alone (both included, the fastest is 0), to see what they carry."""
    count = base.head_dimension // 2
    end = count - 1 if last is None else last
    if not 0 <= first <= end < count:
        raise UsageError(f"method.options first={first}, last={end}: expected 0 <= first <= last <= {count - 1}")
    indices = np.arange(count)
    return Rotation(_between(base, factor, ((indices >= first) & (indices <= end)).astype(np.float64)))


# The order of tables and figures: the paper's three, then others.
METHODS: dict[str, Function] = {
    "none": unchanged,
    "extrapolation": unchanged,
    "pi": interpolated,
    "ntk": ntk,
    "by_parts": by_parts,
    "yarn": yarn,
    "llama3": llama3,
    "abf": abf,
    "longrope": longrope,
    "p_rope": p_rope,
    "bands": bands,
}


def function(method: Method) -> Function:
    """The function of a configured method.

    Raises:
        UsageError: there is no such method, it has no such option, or an option is of another type.
    """
    name = method.function or method.name
    checks.known("method" if method.function is None else "method.function", name, METHODS)
    if method.name in METHODS and method.name != name:
        way_out = "choose a name of your own by method.name"
        raise UsageError(f"method={method.name} with method.function={name} would be called what it is not: {way_out}")
    if method.name == "none" and method.attention_slope:
        way_out = "leave out method.attention_slope, or use method=temperature"
        raise UsageError(f"method=none is the base as it is: {way_out}")
    own = inspect.getfullargspec(METHODS[name])
    for option, value in method.options.items():
        if option not in own.kwonlyargs:
            known = ", ".join(own.kwonlyargs) or "none"
            raise UsageError(f"method.options.{option} is no option of {name}: it has {known}")
        default = (own.kwonlydefaults or {})[option]
        annotation = inspect.formatannotation(own.annotations.get(option, type(default)))
        if not _fits(value, default, annotation):
            raise UsageError(f"method.options.{option}={value}: expected {annotation}")
    return METHODS[name]


def changes(method: Method) -> bool:
    """Whether the method rotates otherwise than the base."""
    return function(method) is not unchanged or bool(method.attention_slope)


def rotation(method: Method, base: Geometry, factor: float) -> Rotation:
    """How a method rotates at s = `factor`.

    Raises:
        UsageError: the method, an option or what the method returns cannot be used.
    """
    name, options = method.name, method.options
    try:
        found = function(method)(base, factor, **options)
    except ArithmeticError as error:  # an option so large, or a head so small, that Python's own floats do not do
        raise UsageError(f"method '{name}' cannot be computed ({shortened(error)}): change method.options") from error
    if method.attention_slope is not None:
        found = Rotation(found.frequencies, 1 + method.attention_slope * math.log(factor), found.native)
    usable = (found.frequencies >= 0) & (found.frequencies < np.inf)
    if found.frequencies.shape != (base.head_dimension // 2,) or not usable.all():
        raise UsageError(f"method '{name}' must return {base.head_dimension // 2} finite frequencies of at least 0")
    if not 0 < found.attention_scaling <= MOST:
        fault = f"returns attention scaling {found.attention_scaling:g}"
        raise UsageError(f"method '{name}' {fault}: expected above 0 and at most {MOST}")
    return found


def _fits(value: Any, default: Any, annotation: str) -> bool:
    """Whether a configured value has the type of an option's annotation or default."""
    if value is None:
        return default is None
    if isinstance(default, bool | str) or isinstance(value, bool | str):
        return type(value) is type(default)
    if "list" in annotation:
        return isinstance(value, list) and all(_fits(item, 0.0, "float") for item in value)
    return isinstance(value, int if "int" in annotation else int | float) and math.isfinite(value)


def _between(base: Geometry, factor: float, interpolated_share: Frequencies) -> Frequencies:
    """Each frequency moved from f to f / s by its share, linearly."""
    return base.frequencies * (1 - interpolated_share + interpolated_share / factor)
