"""Window plans and aggregations: numbers checked by hand, then properties that hold for every plan."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from position_interpolation.evidence.intervals import widening
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.perplexity.windows import (
    PROTOCOLS,
    Scored,
    Span,
    bits_per_byte,
    perplexity,
    plan,
    plan_overlapping,
    ratio,
)

# (tokens, window, stride, bos) of every plan that can be made
shapes = st.tuples(st.integers(2, 400), st.integers(2, 64), st.integers(1, 63), st.booleans()).filter(
    lambda shape: shape[2] < shape[1]
)


def scored_tokens(spans: list[Span]) -> list[int]:
    """Document positions that count, in the order of their windows."""
    return [token for span in spans for token in range(span.stop - span.scored, span.stop)]


# Plans by hand


@pytest.mark.parametrize(
    ("tokens", "bos", "expected"),
    [
        # With BOS a window of 8 holds 7 tokens.
        (1, True, [(0, 1, 1)]),
        (5, True, [(0, 5, 5)]),
        (7, True, [(0, 7, 7)]),  # exactly one window
        (8, True, [(0, 7, 7), (3, 8, 1)]),  # one token too long for it
        (10, True, [(0, 7, 7), (3, 10, 3)]),
        (12, True, [(0, 7, 7), (3, 10, 3), (6, 12, 2)]),
        # Without it the first token has nothing before it.
        (2, False, [(0, 2, 1)]),
        (8, False, [(0, 8, 7)]),
        (9, False, [(0, 8, 7), (3, 9, 1)]),
        (14, False, [(0, 8, 7), (3, 11, 3), (6, 14, 3)]),
    ],
)
def test_windows_of_8_with_stride_3(tokens: int, bos: bool, expected: list[tuple[int, int, int]]) -> None:
    assert plan(tokens, 8, 3, bos) == [Span(*numbers) for numbers in expected]


def test_overlapping_windows_score_every_token_again() -> None:
    assert plan_overlapping(8, 8, 3, bos=True) == [Span(0, 7, 7), Span(3, 8, 5)]
    assert plan_overlapping(9, 8, 3, bos=False) == [Span(0, 8, 7), Span(3, 9, 5)]


def test_the_papers_stride_scores_256_tokens_with_at_least_1791_before_them() -> None:
    spans = plan(10_000, 2048, 256, bos=True)
    assert (spans[0], spans[1]) == (Span(0, 2047, 2047), Span(256, 2303, 256))
    assert min(span.stop - span.scored - span.start for span in spans[1:-1]) == 1791


# Plans by property


@given(shapes)
def test_every_token_that_can_be_scored_is_scored_once_in_order(shape: tuple[int, int, int, bool]) -> None:
    tokens, _, _, bos = shape
    assert scored_tokens(plan(*shape)) == list(range(0 if bos else 1, tokens))


@given(shapes)
def test_no_window_exceeds_its_positions_and_every_scored_token_has_something_before_it(
    shape: tuple[int, int, int, bool],
) -> None:
    tokens, window, _, bos = shape
    for span in [*plan(*shape), *plan_overlapping(*shape)]:
        positions = span.stop - span.start + bos
        assert 0 <= span.start < span.stop <= tokens
        assert positions <= window
        assert 1 <= span.scored <= positions - 1


@given(shapes)
def test_later_full_windows_score_exactly_the_stride(shape: tuple[int, int, int, bool]) -> None:
    tokens, window, stride, bos = shape
    spans = plan(*shape)
    assert [span.start for span in spans] == [stride * number for number in range(len(spans))]
    full = [span for span in spans[1:] if span.stop < tokens]
    assert all(span.scored == stride and span.stop - span.start + bos == window for span in full)
    assert spans[0].scored == min(window - 1, tokens - (not bos))
    assert spans[-1].stop == tokens


@given(shapes)
def test_overlapping_runs_the_same_windows(shape: tuple[int, int, int, bool]) -> None:
    def places(spans: list[Span]) -> list[tuple[int, int]]:
        return [(span.start, span.stop) for span in spans]

    assert places(plan_overlapping(*shape)) == places(plan(*shape))


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("stride", [0, -1, 8, 9])
def test_a_stride_that_leaves_no_context_is_refused(stride: int, bos: bool) -> None:
    with pytest.raises(UsageError, match=r"stride .* window of 8: expected 1 \.\. 7"):
        plan(100, 8, stride, bos)


@pytest.mark.parametrize(("tokens", "bos"), [(0, True), (0, False), (1, False)])
def test_a_document_with_no_token_to_score_is_refused(tokens: int, bos: bool) -> None:
    with pytest.raises(UsageError, match="none to score"):
        plan(tokens, 8, 3, bos)


# Aggregation by hand

TWO_WINDOWS = Scored(np.array([1.0, 2.0, 6.0, 5.0]), np.array([3, 1]))
ONE_WINDOW = Scored(np.array([4.0, 2.0]), np.array([2]))


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("token", (14.0, 4.0)),
        ("overlapping", (14.0, 4.0)),
        ("window", (3.0 + 5.0, 2.0)),  # the window of one token weighs as much as that of three
        ("document", (3.5, 1.0)),
        ("truncated", (9.0, 3.0)),  # the first window alone
    ],
)
def test_ratio_of_one_document(protocol: str, expected: tuple[float, float]) -> None:
    assert ratio(TWO_WINDOWS, protocol) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("protocol", "mean"),
    [
        ("token", 20 / 6),
        ("overlapping", 20 / 6),
        ("window", (3 + 5 + 3) / 3),
        ("document", (3.5 + 3) / 2),
        ("truncated", 15 / 5),
    ],
)
def test_perplexity_of_two_documents(protocol: str, mean: float) -> None:
    assert perplexity([TWO_WINDOWS, ONE_WINDOW], protocol, samples=0).value == pytest.approx(math.exp(mean))


# Bootstrap


def documents(count: int, seed: int) -> list[Scored]:
    """Documents of different lengths and levels, each of full windows of 16 after a first one of 64."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        counts = np.array([64, *[16] * int(generator.integers(1, 9))])
        made.append(Scored(generator.gamma(2.0, generator.uniform(0.5, 2), counts.sum()), counts))
    return made


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_document_has_no_interval(protocol: str) -> None:
    estimate = perplexity([TWO_WINDOWS], protocol, samples=1000)
    assert (estimate.low, estimate.high) == (None, None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_equal_losses_have_an_interval_of_no_width(protocol: str) -> None:
    same = [Scored(np.full(70 + number, 1.5), np.array([64, 6 + number])) for number in range(5)]
    estimate = perplexity(same, protocol, samples=200)
    assert estimate.value == pytest.approx(math.exp(1.5))
    assert estimate.low == pytest.approx(math.exp(1.5))
    assert estimate.high == pytest.approx(math.exp(1.5))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("seed", range(5))
def test_the_interval_contains_the_value_and_repeats_with_the_seed(seed: int, protocol: str) -> None:
    made = documents(12, seed)
    estimate = perplexity(made, protocol, samples=1000, seed=seed)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high
    assert estimate == perplexity(made, protocol, samples=1000, seed=seed)
    other = perplexity(made, protocol, samples=1000, seed=seed + 1)
    assert other.value == estimate.value
    assert (other.low, other.high) != (estimate.low, estimate.high)


def test_the_interval_is_that_of_documents_drawn_again() -> None:
    """Against a plain loop that draws whole documents; drawing tokens would be far too narrow."""
    made = documents(10, seed=3)
    generator = np.random.default_rng(11)
    means = []
    for _ in range(4000):
        drawn = [made[i] for i in generator.integers(0, 10, 10)]
        means.append(np.concatenate([document.losses for document in drawn]).mean())
    low, high = np.quantile(means, (0.025, 0.975))
    estimate = perplexity(made, "token", samples=4000)
    assert estimate.low is not None
    assert estimate.high is not None
    middle, wider = math.log(estimate.value), widening(10)
    assert math.log(estimate.low) == pytest.approx(middle - wider * (middle - low), abs=0.03)
    assert math.log(estimate.high) == pytest.approx(middle + wider * (high - middle), abs=0.03)


def test_more_documents_narrow_the_interval() -> None:
    def width(count: int) -> float:
        estimate = perplexity(documents(count, seed=1), "token", samples=1000)
        assert estimate.low is not None
        assert estimate.high is not None
        return estimate.high - estimate.low

    assert width(400) < width(100) / 1.5 < width(25) / 1.5**2


# Bits per byte


def test_bits_per_byte_divides_all_bits_by_all_bytes() -> None:
    two_bits = Scored(np.full(6, 2 * math.log(2)), np.array([6]))
    one_bit = Scored(np.full(4, math.log(2)), np.array([4]))
    assert bits_per_byte([two_bits, one_bit], [30, 10], samples=0).value == pytest.approx(16 / 40)
