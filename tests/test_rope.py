"""RoPE methods, tested on the model that is built: a configuration that says `linear` proves nothing."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, MambaConfig, PreTrainedConfig, T5Config

from position_interpolation.models import export, extending, loading
from position_interpolation.models.rope import Geometry, inverse_frequencies
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Method, Model

CACHE = Path("unused")
FACTORS = (2.0, 4.0, 16.0)
GEOMETRY = Geometry(10_000.0, 8, 64)


def theta(head_dimension: int, rope_theta: float = 10_000.0) -> NDArray[np.float64]:
    """theta_j = c^(-2j/d) of section 2.1, one by one."""
    return np.array([rope_theta ** (-2 * j / head_dimension) for j in range(head_dimension // 2)])


def rotary(model: Any) -> Any:
    return model.model.rotary_emb


# Frequencies of the built model


@pytest.mark.parametrize("rope_theta", [10_000.0, 500_000.0])
@pytest.mark.parametrize("head_dimension", [8, 64, 128])
@pytest.mark.parametrize("factor", FACTORS)
def test_pi_divides_every_frequency_of_the_built_model(
    build_llama: Callable[..., Any], factor: float, head_dimension: int, rope_theta: float
) -> None:
    shape = {
        "hidden_size": head_dimension,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "vocab_size": 16,
    }
    model = build_llama("pi", factor, rope_theta=rope_theta, **shape)
    expected = theta(head_dimension, rope_theta) / factor
    np.testing.assert_allclose(rotary(model).inv_freq.double(), expected, rtol=1e-6)
    np.testing.assert_allclose(inverse_frequencies(head_dimension, rope_theta, factor), expected, rtol=1e-12)
    assert rotary(model).attention_scaling == 1


@pytest.mark.parametrize("method", ["none", "extrapolation"])
@pytest.mark.parametrize("head_dimension", [8, 64, 128])
@pytest.mark.parametrize("factor", [1.0, *FACTORS])
def test_none_and_extrapolation_leave_the_frequencies_alone(
    build_llama: Callable[..., Any], factor: float, head_dimension: int, method: str
) -> None:
    shape = {
        "hidden_size": head_dimension,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "vocab_size": 16,
    }
    model = build_llama(method, factor, **shape)
    np.testing.assert_allclose(rotary(model).inv_freq.double(), theta(head_dimension), rtol=1e-6)


@pytest.mark.parametrize("method", ["none", "extrapolation", "pi"])
@pytest.mark.parametrize("factor", FACTORS)
def test_the_extended_window_is_written_into_the_configuration(
    build_llama: Callable[..., Any], method: str, factor: float
) -> None:
    assert build_llama(method, factor).config.max_position_embeddings == 64 * factor


# Equation 4 on attention scores and logits


@pytest.mark.parametrize("factor", [1.0, *FACTORS])
def test_attention_is_that_of_the_base_at_positions_m_over_s(build_llama: Callable[..., Any], factor: float) -> None:
    """Equation 4: f'(x, m) = f(x, m L / L'), recomputed in float64 with fractional positions."""
    model = build_llama("pi" if factor > 1 else "none", factor, num_key_value_heads=2).double()
    model.set_attn_implementation("eager")  # the one implementation that returns its weights
    length, heads, dimension = 48, 4, 8
    ids = torch.randint(3, 4096, (1, length), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = model(ids, output_attentions=True).attentions[0][0].numpy()

    layer = model.model.layers[0]
    with torch.inference_mode():
        normed = layer.input_layernorm(model.model.embed_tokens(ids))
        query = layer.self_attn.q_proj(normed)[0].numpy().reshape(length, heads, dimension)
        key = layer.self_attn.k_proj(normed)[0].numpy().reshape(length, 2, dimension).repeat(2, axis=1)
    turns = np.exp(1j * np.arange(length)[:, None] / factor * theta(dimension))[:, None, :]
    half = dimension // 2  # Hugging Face pairs component j with j + d/2
    turned_query = (query[..., :half] + 1j * query[..., half:]) * turns
    turned_key = (key[..., :half] + 1j * key[..., half:]) * turns
    scores = np.einsum("mhj,nhj->hmn", turned_query, turned_key.conj()).real / dimension**0.5
    scores[:, ~np.tri(length, dtype=bool)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    expected = weights / weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_pi_writes_the_logits_of_a_base_whose_frequencies_are_scaled_by_hand(
    build_llama: Callable[..., Any],
) -> None:
    ids = torch.randint(3, 4096, (2, 256), generator=torch.Generator().manual_seed(2))
    base, interpolated = build_llama("none"), build_llama("pi", 4.0)
    with torch.inference_mode():
        found, unscaled = interpolated(ids).logits, base(ids).logits
        rotary(base).inv_freq.div_(4.0)
        expected = base(ids).logits
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    # Short inputs are interpolated too: position 1 already differs from the base's.
    assert torch.equal(found[:, 0], unscaled[:, 0])
    assert (found[:, 1] - unscaled[:, 1]).abs().max() > 0.01


@pytest.mark.parametrize("method", ["none", "extrapolation", "pi"])
def test_the_last_logits_depend_on_the_first_token_at_every_length(
    build_llama: Callable[..., Any], method: str
) -> None:
    """Interpolated positions once made every token see only itself (packed-sequence detection)."""
    model = build_llama(method, 4.0, vocab_size=128).double()
    ids = torch.randint(3, 128, (1, 256), generator=torch.Generator().manual_seed(3)).repeat(2, 1)
    ids[1, 0] = (ids[0, 0] + 1) % 128
    for length in (2, 3, 5, 31, 63, 64, 65, 127, 128, 129, 255, 256):
        with torch.inference_mode():
            one, other = model(ids[:, :length]).logits[:, -1]
        assert (one - other).abs().max() > 1e-9, f"blind to the first of {length} tokens"


# Checkpoints


@pytest.mark.parametrize("method", ["none", "extrapolation", "pi"])
def test_a_saved_checkpoint_carries_its_positions(build_llama: Callable[..., Any], method: str, tmp_path: Path) -> None:
    model = build_llama(method, 4.0)
    model.save_pretrained(tmp_path)
    reloaded = loading.load(tmp_path)
    expected = {"rope_type": "default", "rope_theta": 10_000.0}
    if method == "pi":
        expected |= {"rope_type": "linear", "factor": 4.0}
    assert dict(reloaded.config.rope_parameters) == expected
    assert reloaded.config.max_position_embeddings == 256
    assert torch.equal(rotary(reloaded).inv_freq, rotary(model).inv_freq)
    ids = torch.arange(3, 203).unsqueeze(0)
    with torch.inference_mode():
        assert torch.equal(reloaded(ids).logits, model(ids).logits)


def test_a_base_from_disk_is_extended_with_its_own_weights(build_llama: Callable[..., Any], tmp_path: Path) -> None:
    original = build_llama("none")
    original.save_pretrained(tmp_path)
    base = Model(name="saved", rung="smoke", window=64, source="path", location=str(tmp_path))
    extended = extending.build(base, CACHE, Method("pi"), 8.0, seed=5)
    np.testing.assert_allclose(rotary(extended).inv_freq.double(), theta(8) / 8, rtol=1e-6)
    assert extended.config.max_position_embeddings == 512
    for name, weight in original.state_dict().items():
        assert torch.equal(extended.state_dict()[name], weight), name


@pytest.mark.parametrize("method", ["none", "extrapolation", "pi"])
def test_frequencies_stay_float32_when_the_weights_load_as_bfloat16(
    build_llama: Callable[..., Any], method: str, tmp_path: Path
) -> None:
    """bfloat16 cannot hold integers above 256, and is wrong by 0.4 % on a frequency."""
    build_llama(method, 4.0).save_pretrained(tmp_path)
    model = loading.load(tmp_path, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert rotary(model).inv_freq.dtype == torch.float32
    expected = theta(8) / (4.0 if method == "pi" else 1.0)
    np.testing.assert_allclose(rotary(model).inv_freq.double(), expected, rtol=1e-6)


def test_random_weights_depend_on_the_seed_and_disturb_no_other_randomness(
    random_base: Callable[..., Model],
) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, again, other = (extending.build(random_base(), CACHE, Method("none"), 1.0, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first.lm_head.weight, again.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)


def test_the_fingerprint_of_weights_sees_one_changed_number(build_llama: Callable[..., Any], tmp_path: Path) -> None:
    model = build_llama()
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "same")
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    model.save_pretrained(tmp_path / "other")
    one, same, other = (loading.weights_sha256(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same != other
    with pytest.raises(UsageError, match="safetensors"):
        loading.weights_sha256(tmp_path)


# What is refused


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    nowhere = Model(name="gone", rung="smoke", window=64, source="path", location=str(tmp_path))
    with pytest.raises(UsageError, match=r"config\.json"):
        extending.build(nowhere, CACHE, Method("none"), 1.0, seed=0)


def test_a_window_that_is_not_the_models_own_is_refused() -> None:
    """Windows, stride and factor are multiples of L: a wrong one would put every number in the wrong place."""
    with pytest.raises(UsageError, match=r"model\.window=512, but .* was made for 256 positions"):
        loading.base_config(Model(name="tiny", source="packaged", location="tiny", window=512), Path())


def test_a_base_without_an_embedding_for_every_token_is_refused(random_base: Callable[..., Model]) -> None:
    loading.tokenizer(random_base(), Path("unused"))
    with pytest.raises(UsageError, match="4096 tokens, the model 4095 embeddings"):
        loading.tokenizer(random_base(vocab_size=4095), Path("unused"))


@pytest.mark.parametrize("config", [GPT2Config(n_layer=1), MambaConfig(), T5Config()])
def test_a_family_with_other_positions_is_refused(config: PreTrainedConfig, tmp_path: Path) -> None:
    """Whether or not its configuration states a window and parameters of RoPE."""
    config.save_pretrained(tmp_path)
    base = Model(name="other", rung="smoke", window=64, source="path", location=str(tmp_path))
    with pytest.raises(UsageError, match=f"'{config.model_type}' are not supported: choose one of type llama, mistral"):
        extending.extended_config(base, tmp_path, Method("pi"), 4.0)


def test_a_model_that_lost_a_weight_is_refused(llama: Any, tokenizer: Any, tmp_path: Path) -> None:
    """transformers would fill the gap with random numbers."""
    export.export(copy.deepcopy(llama), tokenizer, tmp_path, "float32")
    weights = load_file(tmp_path / "model.safetensors")
    lost = "model.layers.1.mlp.up_proj.weight"
    save_file({name: weight for name, weight in weights.items() if name != lost}, tmp_path / "model.safetensors")
    with pytest.raises(UsageError, match=f"missing weights \\({lost}"):
        loading.load(tmp_path)
