"""Real heads against section 2: h_j is what the model's attention multiplies, and every number means what it says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from position_interpolation.app import checks, launch
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.heads import scores
from position_interpolation.tasks.heads.measure import projections, require_plain_llama
from position_interpolation.tasks.heads.scores import Geometry, Pairs
from position_interpolation.tasks.theory import bounds

POSITIONS = 12


@pytest.fixture(scope="module")
def grouped(build_llama: Callable[..., Any]) -> Any:
    """Two layers of four query heads, of which each two share a key head; attention weights can be read."""
    model = build_llama(num_key_value_heads=2)
    model.set_attn_implementation("eager")
    return model


def random_h(*shape: int, seed: int = 0) -> scores.Complexes:
    return np.random.default_rng(seed).standard_normal((*shape, 2)) @ np.array([1, 1j])


# h_j is what attention sees


def test_the_score_is_the_logit_of_transformers_own_rotary_embedding(grouped: Any) -> None:
    """Re sum_j h_j e^{i (m - n) theta_j} / sqrt(d), for a query at m and a key at n, in float64 against float32."""
    size = grouped.config.head_dim
    query, key = torch.randn(2, 1, 1, POSITIONS, size, generator=torch.Generator().manual_seed(0))
    cos, sin = grouped.model.rotary_emb(query, torch.arange(POSITIONS).unsqueeze(0))
    turned_query, turned_key = apply_rotary_pos_emb(query, key, cos, sin)
    logits = (turned_query @ turned_key.mT)[0, 0] * grouped.model.layers[0].self_attn.scaling
    for m in range(POSITIONS):
        for n in range(m + 1):
            h = scores.coefficients(query[0, 0, m], key[0, 0, n])
            score = scores.scores(h[None], [m - n], grouped.config.rope_parameters["rope_theta"])
            assert score.item() / np.sqrt(size) == pytest.approx(logits[m, n].item(), abs=2e-5)


def test_scores_of_collected_pairs_are_the_models_own_attention(grouped: Any) -> None:
    """The softmax of a(m - n) / sqrt(d) over all keys n is the row of weights that the model itself uses.

    The last query of each of two documents meets every key up to its own, in every layer and head.
    """
    texts = torch.randint(3, 4096, (2, POSITIONS), generator=torch.Generator().manual_seed(1))
    documents, keys = np.divmod(np.arange(2 * POSITIONS), POSITIONS)
    shape = (2, 4, 2 * POSITIONS)
    last = np.full(shape, POSITIONS - 1)
    pairs = Pairs(np.broadcast_to(documents, shape), last, np.broadcast_to(keys, shape))
    h = scores.coefficients(*projections(grouped, texts.tolist(), pairs))
    theta = grouped.config.rope_parameters["rope_theta"]
    weights = [layer[:, :, -1].detach().numpy() for layer in grouped(texts, output_attentions=True).attentions]
    for layer, head, document in np.ndindex(2, 4, 2):
        own = h[layer, head, documents == document]
        logits = np.diagonal(scores.scores(own, np.arange(POSITIONS)[::-1], theta)) / np.sqrt(grouped.config.head_dim)
        softmax = np.exp(logits) / np.exp(logits).sum()
        assert softmax == pytest.approx(weights[layer][document, head], abs=1e-5)
        assert softmax.std() > 0.01  # sharp enough to tell one head from another


def test_no_hook_is_left_behind(grouped: Any) -> None:
    projections(grouped, [[5, 6, 7]], scores.draw((2, 4, 1), 1, 3, seed=0))
    for layer in grouped.model.layers:
        assert not layer.self_attn.q_proj._forward_hooks
        assert not layer.self_attn.k_proj._forward_hooks


@pytest.mark.parametrize(
    ("kind", "rope"), [("qwen3", "default"), ("llama", "linear")], ids=["norms queries", "scales frequencies"]
)
def test_other_attention_is_refused(grouped: Any, kind: str, rope: str) -> None:
    config = type("Config", (), {"model_type": kind, "rope_parameters": {"rope_type": rope}})
    with pytest.raises(UsageError, match=f"'{kind}' with rope type '{rope}'"):
        require_plain_llama(config)
    require_plain_llama(grouped.config)


# Pairs


@given(documents=st.integers(1, 5), positions=st.integers(1, 50), seed=st.integers(0, 100))
def test_a_query_never_meets_a_key_after_it(documents: int, positions: int, seed: int) -> None:
    pairs = scores.draw((2, 3, 8), documents, positions, seed)
    assert pairs.queries.shape == pairs.keys.shape == pairs.documents.shape == (2, 3, 8)
    assert (pairs.keys >= 0).all()
    assert (pairs.keys <= pairs.queries).all()
    assert (pairs.queries < positions).all()
    assert set(np.unique(pairs.documents)) <= set(range(documents))


def test_the_seed_alone_decides_the_draw() -> None:
    first, again, other = (scores.draw((2, 3, 8), 4, 99, seed).queries for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_half_split_pairs_by_hand() -> None:
    """Elements (0, 2) and (1, 3) are the paper's pairs: (1 + 3i)(5 - 7i) and (2 + 4i)(6 - 8i)."""
    assert scores.coefficients([1, 2, 3, 4], [5, 6, 7, 8]).tolist() == [26 + 8j, 44 + 8j]


# Scores and errors of single pairs


def test_scores_and_errors_are_those_of_the_theory() -> None:
    h, spans = random_h(3, 32), np.array([0, 1, 17, 300])
    for row, errors, one in zip(
        scores.scores(h, spans, 1357.0), scores.midpoint_errors(h, spans, 1357.0), h, strict=True
    ):
        assert row == pytest.approx(bounds.attention_score(one, spans, 1357.0))
        assert errors == pytest.approx([bounds.midpoint_deviation(one, float(span), 1357.0) for span in spans])


@given(seed=st.integers(0, 1000), half=st.integers(2, 32), base=st.sampled_from([1357.0, 10_000.0, 100_000.0]))
def test_no_error_exceeds_the_corrected_bound(seed: int, half: int, base: float) -> None:
    geometry = Geometry(2 * half, base, window=16)
    found = scores.measure(random_h(1, 2, 3, half, seed=seed), geometry)
    assert (found.errors <= bounds.grid_bound(bounds.corrected_curvature(2 * half, base))).all()
    assert (found.tightness <= 1).all()


def test_the_violating_pair_is_seen_to_exceed_the_printed_bound() -> None:
    h = bounds.violating_coefficients(64, left=5.0)[None, None, None]
    geometry = Geometry(64, bounds.BASE, window=32)
    found = scores.numbers(scores.measure(h, geometry), geometry, samples=10)
    assert found["error_largest", None].value == pytest.approx(0.28183, abs=5e-6)
    assert found["printed_bound", None].value == pytest.approx(0.21715, abs=5e-6)
    assert found["corrected_bound", None].value == pytest.approx(0.28561, abs=5e-6)
    assert found["share_above_printed", None].value == 1


def test_one_slow_turn_by_hand() -> None:
    """d = 2: a(s) = 6 cos(s), as theta_0 = 1. L = 4, so a block is one span, and spans end at 4 L = 16.

    B(s) = |e^{is}| = 1: eq. 8 bounds |a(s)| by 2 x 6, of which it reaches |cos(s)| / 2; B(s) / d = 1/2 everywhere.
    """
    geometry = Geometry(2, 10_000.0, window=4)
    found = scores.measure(np.full((1, 1, 1, 1), 6 + 0j), geometry)
    cosines = np.abs(np.cos(np.arange(16)))
    assert found.blocks[0, 0, 0] == pytest.approx(6 * cosines / np.sqrt(2))
    assert found.tightness.item() == pytest.approx(cosines[4:].max() / 2)
    error = (1 - np.cos(0.5)) * np.abs(np.cos([0.5, 1.5, 2.5])).max()
    assert found.errors.item() == pytest.approx(error)
    assert found.over_error.item() == pytest.approx(cosines[4:].max() / error)
    numbers = scores.numbers(found, geometry, samples=10)
    assert numbers["outside_over_inside", None].value == pytest.approx(cosines[4:].max() / cosines[:4].max())
    assert numbers["next_window_over_inside", None].value == pytest.approx(cosines[4:8].max() / cosines[:4].max())
    assert numbers["score_p95", 5].value == pytest.approx(6 * cosines[5] / np.sqrt(2))
    assert numbers["smallest_ratio", None].value == pytest.approx(0.5)
    assert numbers["share_below_one", None].value == 1


def test_levels_are_the_median_and_the_95th_percentile() -> None:
    """a(s) = h cos(s) with h = 1, 2, ..., 100: scores at one span are spread as h is."""
    coefficients = np.arange(1, 101).reshape(1, 1, 100, 1) + 0j
    geometry = Geometry(2, 10_000.0, window=4)
    numbers = scores.numbers(scores.measure(coefficients, geometry), geometry, samples=10)
    at_5 = abs(np.cos(5)) / np.sqrt(2)
    assert numbers["score_median", 5].value == pytest.approx(50.5 * at_5)
    assert numbers["score_p95", 5].value == pytest.approx(95.05 * at_5)


def test_spans_are_thinned_evenly_and_every_block_keeps_some() -> None:
    assert (Geometry(64, 1e5, window=256).spans == np.arange(1024)).all()
    thinned = Geometry(64, 1e5, window=8192)
    assert thinned.spans.tolist() == list(range(0, 32768, 8))
    fewest = Geometry(64, 1e5, window=100, fewest=16)
    assert np.histogram(fewest.spans, [*fewest.edges])[0].min() >= 1
    h = random_h(1, 1, 2, 32)
    whole, part = (scores.measure(h, Geometry(64, 1e4, 64, spans)) for spans in (256, 64))
    assert (part.blocks <= whole.blocks).all()
    assert (part.errors == whole.errors).all()  # midpoints inside the window are never thinned


# Quantiles over pairs


def test_quantiles_and_their_interval() -> None:
    """The median of 2 x 2 heads of 400 normal pairs each has a standard error of sqrt(pi / 2 / 1600) = 0.031."""
    values = np.random.default_rng(0).standard_normal((2, 2, 400))
    median, high = scores.quantiles(values, samples=500).values()
    assert median.value == np.median(values)
    assert high.value == np.quantile(values, 0.95)
    assert median.low is not None
    assert median.high is not None
    assert (median.high - median.low) / (2 * 1.96) == pytest.approx(0.031, rel=0.3)


def test_heads_are_not_drawn_again() -> None:
    """Heads that differ but whose pairs do not leave nothing to chance."""
    values = np.broadcast_to(np.arange(6.0).reshape(2, 3, 1), (2, 3, 10))
    median = scores.quantiles(values, samples=50)["median"]
    assert (median.value, median.low, median.high) == (2.5, 2.5, 2.5)


def test_one_pair_a_head_has_no_interval() -> None:
    assert scores.quantiles(np.zeros((2, 2, 1)), samples=50)["median"].low is None


def test_layers_are_told_apart() -> None:
    geometry = Geometry(16, 10_000.0, window=16)
    found = scores.measure(random_h(2, 1, 5, 8), geometry)
    calm = replace(found, errors=np.stack([found.errors[0], np.zeros((1, 5))]))
    numbers = scores.numbers(calm, geometry, samples=10)
    assert numbers["error_largest", 1].value == 0
    assert numbers["error_largest", None].value == numbers["error_largest", 0].value == found.errors[0].max()


# Settings


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["method=pi", "context=x4"], "measures the base itself, not method=pi: set method=none"),
        (["method=none", "task.window=512"], "past the base's own window 256"),
        (["method=none", "task.spans=8"], "task.spans=8 makes no sense"),
        (["method=none", "task.corpus=poems"], "corpus 'poems' is not in data=embedded"),
    ],
)
def test_what_cannot_be_measured_is_refused(overrides: list[str], expected: str) -> None:
    launch.register()
    with pytest.raises(UsageError, match=expected):
        checks.check(launch.typed(launch.composed(["task=heads", *overrides])))
