"""Blockwise attention is causal attention, gradients too, against float64; the rest is left to torch's own kernel."""

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaConfig

from position_interpolation.models import attention, loading
from position_interpolation.models.attention import ROWS, attention_of_last, causal_attention

# bfloat16 keeps 8 bits: 2^-9 of rounding, once in the scores and once in what is multiplied
CLOSE = 0.01


def reference(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None = None
) -> torch.Tensor:
    """The textbook formula: every score, a mask, a softmax; each key head repeated for the queries that share it."""
    share = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(share, dim=1), value.repeat_interleave(share, dim=1)
    scores = query @ key.transpose(-1, -2) * (scaling or query.shape[-1] ** -0.5)
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -math.inf).softmax(-1) @ value


def states(heads: int, length: int, seed: int, batch: int = 2, size: int = 64) -> torch.Tensor:
    """Random (B, heads, T, d) states that bfloat16 holds exactly."""
    draws = torch.randn(batch, heads, length, size, generator=torch.Generator().manual_seed(seed))
    return draws.to(torch.bfloat16)


def distance(ours: torch.Tensor, exact: torch.Tensor) -> float:
    """Relative error over the whole tensor."""
    return float((ours.double() - exact).detach().norm() / exact.detach().norm())


@pytest.mark.parametrize("length", [2, ROWS - 1, ROWS, 2 * ROWS + 17])
@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (6, 2)])
def test_output_and_gradients_are_those_of_the_formula_in_float64(length: int, heads: int, groups: int) -> None:
    inputs = [states(heads, length, 0), states(groups, length, 1), states(groups, length, 2)]
    upstream = states(heads, length, 3)
    ours = [each.requires_grad_() for each in inputs]
    exact = [each.detach().double().requires_grad_() for each in inputs]
    ours_out, exact_out = causal_attention(*ours), reference(*exact)

    assert distance(ours_out, exact_out) < CLOSE
    ours_slopes = torch.autograd.grad(ours_out, ours, upstream)
    exact_slopes = torch.autograd.grad(exact_out, exact, upstream.double())
    for ours_slope, exact_slope in zip(ours_slopes, exact_slopes, strict=True):
        assert distance(ours_slope, exact_slope) < CLOSE


def test_scores_are_scaled_as_asked() -> None:
    inputs = [states(heads, 40, seed, size=80).requires_grad_() for seed, heads in enumerate((4, 2, 2))]
    exact = [each.detach().double().requires_grad_() for each in inputs]
    ours_out, exact_out = causal_attention(*inputs, scaling=0.05), reference(*exact, scaling=0.05)

    assert distance(ours_out, exact_out) < CLOSE
    upstream = states(4, 40, 3, size=80)
    ours_slopes = torch.autograd.grad(ours_out, inputs, upstream)
    exact_slopes = torch.autograd.grad(exact_out, exact, upstream.double())
    for ours_slope, exact_slope in zip(ours_slopes, exact_slopes, strict=True):
        assert distance(ours_slope, exact_slope) < CLOSE


@pytest.mark.parametrize(("deviation", "error"), [(1, 0.004), (4, 0.009), (16, 0.016)])
def test_sharp_heads_are_as_far_from_exact_as_the_module_says(deviation: int, error: float) -> None:
    query, key, value = states(2, 512, 0) * deviation, states(2, 512, 1), states(2, 512, 2)
    exact = reference(query.double(), key.double(), value.double())
    kernel = scaled_dot_product_attention(query, key, value, is_causal=True)

    assert distance(causal_attention(query, key, value), exact) == pytest.approx(error, rel=0.2)
    assert distance(kernel, exact) < 0.0025


def test_what_stands_behind_a_position_never_reaches_it() -> None:
    length, changed = ROWS + 40, ROWS + 3
    query, key, value = states(2, length, 0), states(2, length, 1), states(2, length, 2)
    before = causal_attention(query, key, value)
    key[:, :, changed:], value[:, :, changed:] = 50.0, 50.0
    after = causal_attention(query, key, value)

    assert torch.equal(before[:, :, :changed], after[:, :, :changed])
    assert not torch.equal(before[:, :, changed:], after[:, :, changed:])


def model(dtype: torch.dtype) -> torch.nn.Module:
    """Two layers in which three query heads share a key head."""
    config = LlamaConfig(
        hidden_size=192,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        vocab_size=128,
        max_position_embeddings=1024,
    )
    made: torch.nn.Module = loading.random(config, seed=0).to(dtype)
    return made


def test_a_model_in_bfloat16_is_as_near_to_float32_as_with_torchs_kernel() -> None:
    ids = torch.randint(128, (2, ROWS + 50), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = model(torch.float32)(input_ids=ids).logits.double()
        ours, theirs = model(torch.bfloat16), model(torch.bfloat16)
        theirs.set_attn_implementation("sdpa")  # type: ignore[operator]
        errors = [distance(each(input_ids=ids).logits, exact) for each in (ours, theirs)]

    assert errors[0] < 1.3 * errors[1]


def test_tuning_under_autocast_has_the_gradients_of_torchs_kernel() -> None:
    ids = torch.randint(128, (2, ROWS + 50), generator=torch.Generator().manual_seed(0))
    slopes = []
    for kernel in (attention.NAME, "sdpa"):
        tuned = model(torch.float32).train()
        tuned.set_attn_implementation(kernel)  # type: ignore[operator]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = tuned(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        slopes.append(torch.cat([weight.grad.flatten() for weight in tuned.parameters() if weight.grad is not None]))

    assert distance(slopes[0], slopes[1].double()) < 2 * CLOSE


@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (6, 2)])
@pytest.mark.parametrize("scaling", [None, 0.05])
def test_the_last_position_alone_is_the_last_of_all(heads: int, groups: int, scaling: float | None) -> None:
    query, key, value = states(heads, ROWS + 9, 0), states(groups, ROWS + 9, 1), states(groups, ROWS + 9, 2)
    exact = reference(query.double(), key.double(), value.double(), scaling)[:, :, -1:]
    assert distance(attention_of_last(query[:, :, -1:], key, value, scaling), exact) < CLOSE


def test_a_token_written_with_a_cache_is_that_of_a_whole_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 each rounds where the other does not, so that logits are compared, not the tokens of near ties."""
    lengths: list[int] = []

    def attend(query: torch.Tensor, key: torch.Tensor, *rest: Any) -> torch.Tensor:
        lengths.append(key.shape[2])
        return attention_of_last(query, key, *rest)

    monkeypatch.setattr(attention, "attention_of_last", attend)
    ids = torch.randint(128, (2, ROWS), generator=torch.Generator().manual_seed(0))
    read = model(torch.bfloat16)
    with torch.inference_mode():
        cache = read(input_ids=ids[:, :-1], use_cache=True).past_key_values
        last = read(input_ids=ids[:, -1:], past_key_values=cache).logits[:, -1]
        whole = read(input_ids=ids).logits[:, -1].double()
    assert distance(last, whole) < 2 * CLOSE
    assert lengths == [ROWS, ROWS], "once a layer, and not for whole forwards"


@pytest.mark.parametrize("case", ["float32", "mask", "several tokens after a cache"])
def test_other_cases_are_torchs_own_kernel_bit_for_bit(case: str) -> None:
    ids = torch.randint(128, (2, 40), generator=torch.Generator().manual_seed(0))
    dtype = torch.float32 if case == "float32" else torch.bfloat16
    mask = torch.ones_like(ids)
    mask[0, :7] = 0  # padded on the left
    options = {"attention_mask": mask} if case == "mask" else {}
    cached, outputs = case.endswith("cache"), []
    for kernel in (attention.NAME, "sdpa"):
        read = model(dtype)
        with torch.inference_mode():
            if cached:  # the prompt under one kernel, so that only the last tokens' attention differs
                read.set_attn_implementation("sdpa")  # type: ignore[operator]
                options = {"past_key_values": read(input_ids=ids[:, :-2], use_cache=True).past_key_values}
            read.set_attn_implementation(kernel)  # type: ignore[operator]
            outputs.append(read(input_ids=ids[:, -2:] if cached else ids, **options).logits)

    assert torch.equal(*outputs)
