"""Scoring skips work, never exactness: its losses are those of a full forward with all logits."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from position_interpolation.models import scoring
from position_interpolation.models.scoring import greedy_scores, scored_losses
from position_interpolation.settings.errors import UsageError

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 4096,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
ARCHITECTURES = {
    "llama": LlamaConfig(num_key_value_heads=4, **SHAPE),
    "grouped queries": LlamaConfig(num_key_value_heads=2, **SHAPE),
    "one key head": LlamaConfig(num_key_value_heads=1, **SHAPE),
    "one layer": LlamaConfig(num_key_value_heads=4, **{**SHAPE, "num_hidden_layers": 1}),
    "wide heads, biases, tied": LlamaConfig(
        head_dim=16, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, **SHAPE
    ),
    "interpolated": LlamaConfig(
        rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}, **SHAPE
    ),
    "mistral": MistralConfig(num_key_value_heads=2, sliding_window=16, **SHAPE),
    "qwen2": Qwen2Config(num_key_value_heads=2, **SHAPE),
}
SIZES = [(2, 1), (3, 1), (3, 2), (9, 8), (33, 5), (64, 1), (64, 63), (65, 8), (128, 16)]


def ids_of(batch: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, 4096, (batch, length), generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def full_forward_losses(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """The plain way: all logits, loss of every token but the first."""
    logits = model(ids).logits[:, :-1]
    return cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_losses_are_those_of_a_full_forward(name: str, sharpened: Callable[..., Any]) -> None:
    model = sharpened(AutoModelForCausalLM.from_config(ARCHITECTURES[name], dtype=torch.float32))
    for length, scored in SIZES:
        ids = ids_of(2, length, seed=length)
        with torch.inference_mode():
            found = scored_losses(model, ids, scored)
        assert found.shape == (2, scored)
        torch.testing.assert_close(found, full_forward_losses(model, ids)[:, -scored:], rtol=1e-5, atol=1e-5)


def test_a_batch_scores_as_its_sequences_one_by_one(llama: Any) -> None:
    ids = ids_of(5, 40)
    with torch.inference_mode():
        together = scored_losses(llama, ids, 12)
        alone = torch.cat([scored_losses(llama, row, 12) for row in ids.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    assert (alone[0] - alone[1]).abs().max() > 0.1


def test_logits_are_held_for_a_few_rows_at_a_time(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ids_of(2, 40)
    with torch.inference_mode():
        expected = scored_losses(llama, ids, 11)
        rows: list[int] = []
        hook = llama.lm_head.register_forward_hook(lambda _, inputs, output: rows.append(output[..., 0].numel()))
        monkeypatch.setattr(scoring, "HEAD_VALUES", 3 * 4096)
        found = scored_losses(llama, ids, 11)
        hook.remove()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert max(rows) == 3
    assert sum(rows) == 22


def test_the_last_layer_works_on_scored_rows_only(llama: Any) -> None:
    rows: list[int] = []
    hook = llama.model.layers[-1].mlp.register_forward_hook(lambda _, inputs, output: rows.append(output.shape[1]))
    with torch.inference_mode():
        scored_losses(llama, ids_of(1, 60), 7)
    hook.remove()
    assert rows == [7]


def test_states_that_are_no_numbers_are_refused(llama: Any) -> None:
    """The most likely of NaN would be a token like any other, and a diverged model one that finds nothing."""
    broken = copy.deepcopy(llama)
    broken.model.layers[0].mlp.down_proj.weight.data[0, 0] = torch.nan
    with pytest.raises(UsageError, match="NaN or infinite"):
        greedy_scores(broken, ids_of(1, 8), 2)


def greedy_matches(model: Any, ids: torch.Tensor, answer: int) -> torch.Tensor:
    return greedy_scores(model, ids, answer)[0].all(dim=-1)


def test_greedy_scores_have_the_losses_too(llama: Any) -> None:
    ids = ids_of(3, 20)
    with torch.inference_mode():
        torch.testing.assert_close(greedy_scores(llama, ids, 6)[1], scored_losses(llama, ids, 6))


def test_greedy_scores_say_what_generate_writes(build_llama: Callable[..., Any]) -> None:
    model = build_llama(num_key_value_heads=2)
    prompts = ids_of(8, 30)
    greedy = GenerationConfig(max_new_tokens=5, do_sample=False, pad_token_id=2)
    with torch.inference_mode():
        written = model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=greedy)
        assert written.shape == (8, 35)
        assert greedy_matches(model, written, 5).all()
        for position in range(30, 35):  # one wrong answer token is enough, wherever it stands
            wrong = written.clone()
            wrong[::2, position] = (wrong[::2, position] + 1) % 4096
            assert greedy_matches(model, wrong, 5).tolist() == [False, True] * 4
        wrong = written.clone()
        wrong[:, 0] = (wrong[:, 0] + 1) % 4096
        generated = model.generate(wrong[:, :30], attention_mask=torch.ones_like(prompts), generation_config=greedy)
        expected = (generated[:, 30:] == wrong[:, 30:]).all(dim=-1)
        assert torch.equal(greedy_matches(model, wrong, 5), expected)
