"""The paper's section 2 as functions: how far scores can stray between and beyond trained positions.

A query and a key at span s = m - n score a(s) = Re sum_j h_j exp(i s theta_j). The complex numbers
h_j = (q_2j + i q_2j+1)(k_2j - i k_2j+1) hold their contents, the frequencies theta_j the geometry.
Interpolation is safe because a(s) curves little between integers (eqs. 5, 7). Extrapolation is not, because
little limits a(s) at spans that training never saw (eq. 8, Figs. 2 and 5). No model is involved.

Eq. 14 runs the wrong way: it takes d / (4 ln c) for an upper bound on 1 / (1 - c^(-4/d)), but c^x is convex,
which makes it a lower one. Both are here: the printed bound can be seen to fail, the corrected one to hold.
Arrays are float64 unless stated; spans and windows are counted in tokens. Where a head dimension or a
base cannot be one, `frequencies` raises ValueError, and so does whatever calls it.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Solver = Literal["normal_float32", "normal_float64", "svd", "ridge"]
Region = Literal["inside", "outside", "between"]

BASE, HEAD_DIM, WINDOW = 10000.0, 128, 2048  # the paper's c, d and L
HEAD_DIMS = (16, 32, 64, 80, 96, HEAD_DIM, 256)  # of common models: those for which the bounds are audited
PLOTTED, EXTENDED = 4096, 32768  # spans of Fig. 5, and of the paper's longest extended window
BETWEEN_SPANS: Floats = np.arange(25, 75.125, 0.125)  # of Fig. 2's right panel: 25 .. 75, shape (401,)


def frequencies(head_dim: int, base: float = BASE) -> Floats:
    """Return theta_j = base^(-2j/d) in radians per token, shape (d/2,) (section 2.1).

    Raises:
        ValueError: `head_dim` is not a positive even number, or `base` is not above 1.
    """
    if head_dim < 2 or head_dim % 2 or base <= 1:
        raise ValueError(f"need a positive even head_dim and a base above 1, got {head_dim} and {base}")
    return np.power(base, -np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)


def attention_score(coefficients: ArrayLike, spans: ArrayLike, base: float = BASE) -> Floats:
    """Return a(s) = Re sum_j h_j exp(i s theta_j), in the shape of `spans`, fractional or not (section 2).

    `coefficients` are the complex h_j, shape (d/2,).
    """
    h = np.asarray(coefficients, dtype=np.complex128)
    phases = np.asarray(spans, dtype=np.float64)[..., None] * frequencies(2 * h.size, base)
    return np.asarray((np.exp(1j * phases) @ h).real)


def linear_score(
    coefficients: ArrayLike, spans: ArrayLike, left: ArrayLike, right: ArrayLike, base: float = BASE
) -> Floats:
    """Return a_linear(s), the line from a(s1) at s1 = `left` to a(s2) at s2 = `right` (theorem 2.1).

    The arguments broadcast as for arithmetic.
    """
    s, s1, s2 = (np.asarray(x, dtype=np.float64) for x in (spans, left, right))
    a1, a2 = (attention_score(coefficients, x, base) for x in (s1, s2))
    return np.asarray(((s2 - s) * a1 + (s - s1) * a2) / (s2 - s1))


def printed_curvature(head_dim: int, base: float = BASE) -> float:
    """Return d / (4 ln c), which eq. 14 wrongly takes for a bound on |a''(s)| / max|h_j|."""
    return head_dim / (4 * math.log(base))


def corrected_curvature(head_dim: int, base: float = BASE) -> float:
    """Return 1 / (1 - c^(-4/d)), a true bound on |a''(s)| / max|h_j|: the sum of theta_j^2 (appendix A)."""
    return -1 / math.expm1(-4 / head_dim * math.log(base))


def interpolation_bound(curvature: float, spans: ArrayLike, left: ArrayLike, right: ArrayLike) -> Floats:
    """Return curvature (s - s1)(s2 - s) / 2, which bounds |a(s) - a_linear(s)| / max|h_j| at each span.

    This is eq. 5 for `printed_curvature`, and what eq. 5 should be for `corrected_curvature`.
    """
    s, s1, s2 = (np.asarray(x, dtype=np.float64) for x in (spans, left, right))
    return np.asarray(curvature * (s - s1) * (s2 - s) / 2)


def grid_bound(curvature: float) -> float:
    """Return the largest `interpolation_bound` between neighbouring integers: eq. 7, printed or corrected."""
    return curvature / 8


def violating_coefficients(head_dim: int, left: float = 0.0, base: float = BASE) -> NDArray[np.complex128]:
    """Return h_j = exp(-i theta_j (s1 + 1/2)), shape (d/2,): a counterexample to eqs. 5 and 7 as printed.

    All terms peak together at s1 + 1/2, so no h_j of magnitude at most 1 deviates more from the line there.
    """
    return np.asarray(np.exp(-1j * frequencies(head_dim, base) * (left + 0.5)))


def midpoint_deviation(coefficients: ArrayLike, left: float = 0.0, base: float = BASE) -> float:
    """Return |a(s) - a_linear(s)| at s = s1 + 1/2, half way between s1 = `left` and s2 = s1 + 1."""
    line = linear_score(coefficients, left + 0.5, left, left + 1, base)
    return float(np.abs(attention_score(coefficients, left + 0.5, base) - line))


def partial_sum_magnitude(spans: ArrayLike, head_dim: int, base: float = BASE, chunk: int = 4096) -> Floats:
    """Return B(s) = sum_k |A_{k+1}(s)|, A_k(s) = sum_{j<k} exp(i s theta_j), in the shape of `spans` (eq. 8).

    Spans are taken `chunk` at a time to bound the memory.
    """
    theta = frequencies(head_dim, base)
    s = np.asarray(spans, dtype=np.float64)
    flat, result = s.reshape(-1, 1), np.empty(s.size)
    for start in range(0, s.size, chunk):
        rotations = np.exp(1j * flat[start : start + chunk] * theta)
        result[start : start + chunk] = np.abs(np.cumsum(rotations, axis=1)).sum(axis=1)
    return result.reshape(s.shape)


def score_bounds(coefficients: ArrayLike, spans: ArrayLike, base: float = BASE) -> tuple[Floats, Floats]:
    """Return eq. 8's two bounds on |a(s)|, max|h_j - h_{j+1}| B(s) and 2 max|h_j| B(s), as `spans` is shaped.

    Summation by parts takes h_{d/2} = 0 (RoFormer 3.4.3).
    """
    h = np.asarray(coefficients, dtype=np.complex128)
    magnitude = partial_sum_magnitude(spans, 2 * h.size, base)
    return np.abs(np.diff(h, append=0)).max() * magnitude, 2 * np.abs(h).max() * magnitude


@dataclass(frozen=True)
class Audit:
    """Section 2 checked for one head dimension; bounds and deviation in units of max|h_j|.

    `smallest_ratio`, at `smallest_ratio_span`, is the minimum of B(s) / d, which must be at least 1 for the
    paper's factor of 600; `share_below_one` is the fraction of spans at which it is not.
    """

    head_dim: int
    printed_bound: float
    corrected_bound: float
    worst_midpoint_deviation: float
    smallest_ratio: float
    smallest_ratio_span: int
    share_below_one: float


def audit(head_dim: int, base: float = BASE, spans: int = PLOTTED) -> Audit:
    """Check eqs. 7 and 8 for a head dimension, on the integer spans 0 .. `spans` - 1 (Fig. 5 has 4096)."""
    ratio = partial_sum_magnitude(np.arange(spans), head_dim, base) / head_dim
    return Audit(
        head_dim=head_dim,
        printed_bound=grid_bound(printed_curvature(head_dim, base)),
        corrected_bound=grid_bound(corrected_curvature(head_dim, base)),
        worst_midpoint_deviation=midpoint_deviation(violating_coefficients(head_dim, base=base), base=base),
        smallest_ratio=float(ratio.min()),
        smallest_ratio_span=int(ratio.argmin()),
        share_below_one=float((ratio < 1).mean()),
    )


@dataclass(frozen=True)
class RandomFit:
    """Scores fitted to noise inside the window, then evaluated beyond it and between integers; one row per draw."""

    targets: Floats  # shape (draws, L), at the spans 0 .. L - 1
    extrapolated: Floats  # shape (draws, 2L), at the spans 0 .. 2L - 1
    between: Floats  # shape (draws, 401), at BETWEEN_SPANS

    def largest(self, region: Region) -> Floats:
        """Return max |a(s)|, shape (draws,), on 0 .. L - 1, L .. 2L - 1 or fractional `BETWEEN_SPANS`."""
        inside, outside = np.split(self.extrapolated, [self.targets.shape[1]], axis=1)
        scores = {"inside": inside, "outside": outside, "between": self.between[:, BETWEEN_SPANS % 1 != 0]}
        return np.asarray(np.abs(scores[region]).max(axis=1))

    @property
    def typical(self) -> int:
        """The draw whose largest score outside is the median of all draws: neither best nor worst case."""
        return int(np.argsort(self.largest("outside"))[len(self.targets) // 2])


def fit_random_scores(
    solver: Solver = "normal_float32", head_dim: int = HEAD_DIM, window: int = WINDOW, seed: int = 0, draws: int = 101
) -> RandomFit:
    """Fit sum_j u_j sin(s theta_j) + v_j cos(s theta_j) to standard normal targets on 0 .. L - 1 (Fig. 2).

    The columns are so nearly dependent that the height beyond L is a property of the arithmetic:
    `normal_float32` solves unregularised normal equations in float32 throughout (the paper's code),
    `normal_float64` in float64; `svd` drops singular values below 1e-7 of the largest; `ridge` adds 1 to the
    diagonal, in float64. The height also varies by tens of times between draws, so there are many, where the
    paper has one. Targets depend on the seed alone, unregularised solutions also on the algebra library.

    Raises:
        ValueError: the solver is unknown, or the window has not all spans 25 .. 75.
        numpy.linalg.LinAlgError: the normal equations are exactly singular.
    """
    if solver not in get_args(Solver):
        raise ValueError(f"solver must be one of {', '.join(get_args(Solver))}, got {solver!r}")
    if window <= BETWEEN_SPANS[-1]:
        raise ValueError(f"window must contain the interpolated spans 25 .. 75, got {window}")
    dtype = np.dtype("float32" if solver == "normal_float32" else "float64")

    def design(spans: Floats) -> NDArray[Any]:
        phases = np.outer(spans.astype(dtype), frequencies(head_dim).astype(dtype))
        return np.concatenate([np.sin(phases), np.cos(phases)], axis=1)

    targets = np.random.default_rng(seed).standard_normal((draws, window))
    everywhere = design(np.arange(2.0 * window))
    inside, right_sides = everywhere[:window], targets.T.astype(dtype)
    with threadpool_limits(1):  # the height also depends on how many threads sum the products
        if solver == "svd":
            weights: NDArray[Any] = np.linalg.lstsq(inside, right_sides, rcond=1e-7)[0]
        else:
            penalty = np.eye(head_dim, dtype=dtype) * (solver == "ridge")
            weights = np.linalg.solve(inside.T @ inside + penalty, inside.T @ right_sides)
    scores = [(rows @ weights).T.astype(np.float64) for rows in (everywhere, design(BETWEEN_SPANS))]
    return RandomFit(targets, extrapolated=scores[0], between=scores[1])
