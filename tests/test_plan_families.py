"""The planner on every family that is accepted: held against models without memory, and against what torch counts."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from position_interpolation.models import attention, loading, scoring
from position_interpolation.planning import formulas
from position_interpolation.planning.shape import Shape

SIZES = {
    "hidden_size": 48, "intermediate_size": 112, "num_hidden_layers": 3, "num_attention_heads": 6,
    "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 128, "pad_token_id": 0,
}  # fmt: skip
ODD = [
    ("llama", {}), ("llama", {"head_dim": 16, "tie_word_embeddings": True}),
    ("llama", {"attention_bias": True, "mlp_bias": True}), ("mistral", {"head_dim": 24, "sliding_window": None}),
    ("mistral", {"head_dim": 4, "sliding_window": 40}), ("qwen2", {"tie_word_embeddings": True}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 30, "max_window_layers": 1}),
    ("qwen3", {"head_dim": 32}), ("qwen3", {"head_dim": 16, "attention_bias": True, "num_key_value_heads": 6}),
    ("qwen3", {"head_dim": 16, "use_sliding_window": True, "sliding_window": 20, "max_window_layers": 2}),
]  # fmt: skip
REAL = [  # shapes and counts of released models: safetensors headers on the hub
    ("qwen3", 596_049_920, dict(hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
                                num_key_value_heads=8, head_dim=128, vocab_size=151_936, tie_word_embeddings=True)),
    ("qwen2", 494_032_768, dict(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
                                num_key_value_heads=2, vocab_size=151_936, tie_word_embeddings=True)),
    ("mistral", 12_247_782_400, dict(hidden_size=5120, intermediate_size=14_336, num_hidden_layers=40,
                                     num_attention_heads=32, num_key_value_heads=8, head_dim=128, vocab_size=131_072,
                                     sliding_window=None)),
]  # fmt: skip


def config_of(family: str, **changes: Any) -> Any:
    return AutoConfig.for_model(family, **{**SIZES, **changes})


def built(config: Any, dtype: torch.dtype = torch.float32, kernel: str = "eager") -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.set_attn_implementation(kernel)
    return model.train()


def test_no_family_is_left_out() -> None:
    assert {family for family, _ in ODD} == set(loading.FAMILIES)


@pytest.mark.parametrize(("family", "changes"), ODD, ids=str)
def test_parameters_are_those_of_a_model_without_memory(family: str, changes: dict[str, Any]) -> None:
    config = config_of(family, **changes)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert Shape.of(config).parameters == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(("family", "parameters", "shape"), REAL, ids=lambda value: str(value)[:12])
def test_released_models_have_the_parameters_that_they_are_known_for(
    family: str, parameters: int, shape: dict[str, Any]
) -> None:
    assert Shape.of(AutoConfig.for_model(family, **shape)).parameters == parameters


@pytest.mark.parametrize(("family", "changes"), ODD, ids=str)
@pytest.mark.parametrize("scored", [5, 100])
def test_flops_are_those_that_torch_counts(family: str, changes: dict[str, Any], scored: int) -> None:
    """Matrix products as `scoring` makes them; attention key by key."""
    config, length = config_of(family, **changes), 100
    shape, model = Shape.of(config), built(config, kernel=attention.NAME).eval()
    tokens = torch.randint(0, 300, (1, length + 1))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        scoring.scored_losses(model, tokens, scored)
    counts = counter.get_flop_counts()["Global"]
    matrices = counts[torch.ops.aten.mm] + counts.get(torch.ops.aten.addmm, 0)

    def seen(layer: int, sees: int | None) -> int:
        spared = layer == shape.layers - 1 and not shape.whole
        first = length - scored + 1 if spared else 1
        return sum(min(position, sees or length) for position in range(first, length + 1))

    pairs = sum(seen(layer, sees) for layer, sees in enumerate(loading.spans(config)))
    queries = config.num_attention_heads * model.model.layers[0].self_attn.head_dim
    assert formulas.forward_flops(shape, length, scored) == matrices + 4 * queries * pairs


@pytest.mark.parametrize(("family", "changes"), [row for row in ODD if "sliding" not in str(row)], ids=str)
def test_activations_are_what_autograd_keeps(family: str, changes: dict[str, Any]) -> None:
    length, config = 48, config_of(family, **changes)
    model = built(config, torch.bfloat16, "sdpa")
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.model(input_ids=torch.randint(0, 300, (1, length)), use_cache=False)
    found = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)
    assert found == formulas.activation_bytes(Shape.of(config), checkpointed=False) * length
