"""The h_j of real heads: how the bounds of section 2 compare with a trained model.

One query and one key of a head, before RoPE, give h_j, and with it a(s) = Re sum_j h_j exp(i s theta_j) at every
span s, trained or not. So one pair tells both how large the score becomes past the window (eq. 8) and how far it strays
from a line between neighbouring integers inside it (eq. 7). Pairs are drawn at random, the query never before the key.

The score of a block of L / 4 spans is the largest |a(s)| / sqrt(d) in it. The interpolation error is the largest
|a(s + 1/2) - (a(s) + a(s + 1)) / 2| with both ends in [0, L), over max|h_j|.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from position_interpolation.evidence.intervals import TAILS, Estimate, wilson
from position_interpolation.tasks.theory.bounds import Floats, audit, frequencies, partial_sum_magnitude

Complexes = NDArray[np.complex128]
Integers = NDArray[np.int64]
Numbers = dict[tuple[str, int | None], Estimate]  # by metric, and by layer or the first span of a block

LEVELS = {"median": 0.5, "p95": 0.95}
REACH = 4  # spans are followed to 4 L


@dataclass(frozen=True)
class Geometry:
    """What a model's heads have in common: d, the base c of their frequencies, the window L; which spans are scored."""

    head_dim: int
    base: float
    window: int
    fewest: int = 4096  # spans to score, if [0, 4 L) has as many

    @property
    def step(self) -> int:
        """Distance between two spans that are scored."""
        return max(1, REACH * self.window // self.fewest)

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


@dataclass(frozen=True)
class Pairs:
    """Which query meets which key: arrays of shape (layers, query heads, pairs)."""

    documents: Integers
    queries: Integers  # positions of the queries
    keys: Integers  # positions of the keys, at most those of the queries


def draw(shape: tuple[int, int, int], documents: int, positions: int, seed: int) -> Pairs:
    """Draw pairs for every head: a document, then two of its positions, of which the later is the query's.

    The shape is (layers, query heads, pairs); there are so many documents of so many positions each.
    """
    generator = np.random.default_rng(seed)
    chosen = generator.integers(documents, size=shape)
    keys, queries = np.sort(generator.integers(positions, size=(2, *shape)), axis=0)
    return Pairs(chosen, queries, keys)


def coefficients(queries: ArrayLike, keys: ArrayLike) -> Complexes:
    """h_j = (q_2j + i q_2j+1)(k_2j - i k_2j+1), shape (..., d/2), of query and key vectors (..., d) before RoPE.

    The vectors are in Hugging Face's half-split layout: the paper's pair (2j, 2j+1) is elements (j, j + d/2).
    """
    query, key = (np.asarray(vectors, np.float64) for vectors in (queries, keys))
    half = query.shape[-1] // 2
    return np.asarray((query[..., :half] + 1j * query[..., half:]) * (key[..., :half] - 1j * key[..., half:]))


def scores(h: Complexes, spans: ArrayLike, base: float) -> Floats:
    """a(s) of many pairs, as `bounds.attention_score` gives it for one: from (pairs, d/2) `h` to (pairs, spans)."""
    phases = np.outer(frequencies(2 * h.shape[-1], base), np.asarray(spans, np.float64))
    return np.asarray(h.real @ np.cos(phases) - h.imag @ np.sin(phases))


def midpoint_errors(h: Complexes, spans: ArrayLike, base: float) -> Floats:
    """|a(s + 1/2) - (a(s) + a(s + 1)) / 2| at each span s, (pairs, spans).

    Computed in closed form, each term of a(s + 1/2) times 1 - cos(theta_j / 2), so that no digits cancel.
    """
    curved = 2 * np.sin(frequencies(2 * h.shape[-1], base) / 4) ** 2  # 1 - cos(theta_j / 2)
    return np.abs(scores(h * curved, np.asarray(spans, np.float64) + 0.5, base))


@dataclass(frozen=True)
class Found:
    """What was measured on every pair; arrays of shape (layers, query heads, pairs), `blocks` with one more axis."""

    blocks: Floats  # (..., blocks) largest |a(s)| / sqrt(d) in each block of spans
    errors: Floats  # interpolation error over max|h_j|
    tightness: Floats  # largest |a(s)| / (2 max|h_j| B(s)) on [L, 4 L): 1 would attain the bound of eq. 8
    over_error: Floats  # largest |a(s)| on [L, 4 L) over the interpolation error


def measure(h: Complexes, geometry: Geometry, progress: Callable[[int], None] = lambda _: None) -> Found:
    """Follow every pair over spans inside and outside the window; `h` is (layers, query heads, pairs, d/2)."""
    found = []
    for one in h.reshape(-1, *h.shape[2:]):  # one head at a time, to bound the memory
        found.append(_measure_head(one, geometry))
        progress(len(one))
    stacked = (np.stack(field) for field in zip(*found, strict=True))
    return Found(*(field.reshape(*h.shape[:3], *field.shape[2:]) for field in stacked))


def _measure_head(h: Complexes, geometry: Geometry) -> tuple[Floats, Floats, Floats, Floats]:
    """The fields of `Found` for the pairs of one head, (pairs, d/2)."""
    largest = np.abs(h).max(axis=1)
    reached = np.abs(scores(h, geometry.spans, geometry.base))
    starts = np.searchsorted(geometry.spans, geometry.edges[:-1])
    blocks = np.maximum.reduceat(reached, starts, axis=1) / np.sqrt(geometry.head_dim)
    errors = midpoint_errors(h, np.arange(geometry.window - 1), geometry.base).max(axis=1)
    beyond = geometry.spans >= geometry.window
    outside, bound = reached[:, beyond], 2 * geometry.magnitudes[geometry.spans[beyond]]
    tightness = (outside / bound).max(axis=1) / largest
    return blocks, errors / largest, tightness, outside.max(axis=1) / errors


def numbers(found: Found, geometry: Geometry, samples: int) -> Numbers:
    """Every number of the task; quantiles are over pairs, bounds and B(s) are exact; `samples` are bootstrap draws."""
    exact = audit(geometry.head_dim, geometry.base, spans=REACH * geometry.window)
    values = {metric: value for metric, value in vars(exact).items() if metric != "worst_midpoint_deviation"}
    values |= {"rope_theta": geometry.base, "pairs": found.errors.size, "span_step": geometry.step}
    return {
        **{(name, None): Estimate(float(value)) for name, value in values.items()},
        **_errors(found.errors, exact.printed_bound, samples),
        **_scores(found, geometry, samples),
    }


def _errors(errors: Floats, printed: float, samples: int) -> Numbers:
    """The interpolation error over all pairs and by layer; the largest has no interval."""
    above = int((errors > printed).sum())
    values: Numbers = {("share_above_printed", None): wilson(above, errors.size)}
    by_layer: dict[int | None, Floats] = {None: errors}
    by_layer |= {layer: errors[layer : layer + 1] for layer in range(len(errors))}
    for layer, own in by_layer.items():
        values |= {(f"error_{name}", layer): found for name, found in quantiles(own, samples).items()}
        values["error_largest", layer] = Estimate(float(own.max()))
    return values


def _scores(found: Found, geometry: Geometry, samples: int) -> Numbers:
    """Scores by block of spans; those outside the window also over those inside, over their bound, over the error."""
    values: Numbers = {}
    starts, stops = geometry.edges[:-1], geometry.edges[1:]
    for block, start in enumerate(starts):
        reached = quantiles(found.blocks[..., block], samples)
        values |= {(f"score_{name}", int(start)): estimate for name, estimate in reached.items()}
    inside = found.blocks[..., stops <= geometry.window].max(axis=-1)
    outside, following = starts >= geometry.window, (starts >= geometry.window) & (stops <= 2 * geometry.window)
    ratios = {
        "outside_over_inside": found.blocks[..., outside].max(axis=-1) / inside,
        # As many spans as inside: among three times as many, the largest score is larger by chance alone.
        "next_window_over_inside": found.blocks[..., following].max(axis=-1) / inside,
        "tightness": found.tightness,
        "outside_over_error": found.over_error,
    }
    return values | {(name, None): quantiles(ratio, samples)["median"] for name, ratio in ratios.items()}


def quantiles(values: Floats, samples: int) -> dict[str, Estimate]:
    """The `LEVELS` over all pairs with 95 % bootstrap intervals; `values` is (layers, query heads, pairs).

    Pairs are resampled within their head: a model's heads are all measured, its queries and keys are not. With one pair
    per head, or fewer than two draws, there is no interval.
    """
    levels = list(LEVELS.values())
    points = np.quantile(values, levels).tolist()
    if values.shape[-1] < 2 or samples < 2:
        return dict(zip(LEVELS, map(Estimate, points), strict=True))
    generator = np.random.default_rng(0)
    drawn = np.empty((samples, len(levels)))
    for sample in range(samples):
        again = generator.integers(values.shape[-1], size=values.shape)
        drawn[sample] = np.quantile(np.take_along_axis(values, again, axis=-1), levels)
    lows, highs = np.quantile(drawn, TAILS, axis=0).tolist()
    return dict(zip(LEVELS, map(Estimate, points, lows, highs), strict=True))
