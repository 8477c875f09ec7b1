"""What a model must be for a run to mean what it says, found out before it is trained."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, MistralConfig, Qwen2Config

from position_interpolation.models import extending, loading
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import ASSETS
from position_interpolation.settings.schema import Method, Model

TINY = Model(name="tiny", rung="tiny", source="packaged", location="tiny", window=256)


OLD = {"rope_parameters": None, "rope_theta": 50.0}  # as configurations before transformers 5 have it


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (
            {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0, "partial_rotary_factor": 0.5}},
            "only a part",
        ),
        ({**OLD, "is_causal": False}, "is_causal=false, so tokens see what follows: expected a causal model"),
        ({**OLD, "model_type": "mistral", "sliding_window": 0}, "config.json .* sliding_window=0: expected null"),
        ({"sliding_window": {"a": 1}}, "config.json .* sliding_window=.*: expected null"),
        ({**OLD, "partial_rotary_factor": 0.5}, "rotates only a part of each head: expected a model that rotates all"),
        ({**OLD, "rope_scaling": {"type": "su", "factor": 2.0}}, "nothing is known of 'su'.: expected config.json"),
        ({**OLD, "rope_scaling": {"rope_type": "spiral"}}, "nothing is known of 'spiral'"),
        ({"rope_parameters": None, "rope_theta": -5.0}, "config.json .* rope_theta=-5.0: expected .* above 0"),
        (
            {"rope_parameters": {"rope_type": "linear", "rope_theta": 50.0, "factor": 0}},
            "config.json .* factor=0: expected .* above 0",
        ),
        (
            {
                "rope_parameters": {
                    "rope_type": "longrope",
                    "rope_theta": 50.0,
                    "short_factor": [1.0],
                    "long_factor": [1.0],
                }
            },
            r"config.json .* (short|long)_factor=\[1.0\]: expected 32 numbers",
        ),
        (
            {"model_type": "qwen2", "layer_types": ["full_attention", *["sliding_attention"] * 3]},
            "layers of sliding_attention and no sliding window: set sliding_window",
        ),
        ({"pad_token_id": 4096}, "Padding_idx must be within num_embeddings.: expected config.json"),
        ({"num_attention_heads": 0}, "cannot be read as a model .ZeroDivisionError"),
        ({"dtype": "float7"}, "cannot be read as a model .AttributeError"),
        ({"hidden_size": "many"}, "Field 'hidden_size' expected int, got str"),
        ({"intermediate_size": 688 * 2}, r"mlp.up_proj.weight of shape \(688, 256\), not \(1376, 256\)"),
    ],
)
def test_a_base_that_cannot_be_ours_is_refused(stated: dict[str, Any], message: str, tmp_path: Path) -> None:
    config = shutil.copytree(ASSETS / "tiny", tmp_path / "base") / "config.json"
    written = {**json.loads(config.read_text()), **stated}
    config.write_text(json.dumps({key: value for key, value in written.items() if value is not None}))
    base = Model(name="base", rung="smoke", source="path", location=str(tmp_path / "base"), window=256)
    with pytest.raises(UsageError, match=message):
        extending.build(base, tmp_path, Method("none"), 1.0, seed=0)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UsageError, match=r"not pytorch_model.bin, which can run code: save it again as safetensors"):
        loading.weights_sha256(tmp_path)


@pytest.mark.parametrize(
    ("config", "slides"),
    [
        (LlamaConfig(max_position_embeddings=512), False),
        (LlamaConfig(max_position_embeddings=512, sliding_window=128), False),  # a Llama has none, whatever is said
        (MistralConfig(max_position_embeddings=512, sliding_window=None), False),
        (MistralConfig(max_position_embeddings=512, sliding_window=4096), False),  # never reached
        (MistralConfig(max_position_embeddings=512, sliding_window=128), True),
        (Qwen2Config(max_position_embeddings=512, use_sliding_window=False, sliding_window=128), False),
        (
            Qwen2Config(
                max_position_embeddings=512, num_hidden_layers=2, use_sliding_window=True, sliding_window=128,
                max_window_layers=1,
            ),
            True,
        ),
    ],
)  # fmt: skip
def test_processes_share_a_window_only_where_every_layer_sees_all_of_it(config: object, slides: bool) -> None:
    if not slides:
        loading.check_full_attention(config)
        return
    with pytest.raises(UsageError, match="see only 128 positions: set"):
        loading.check_full_attention(config)


@pytest.mark.parametrize(
    ("method", "factor", "differs"), [("pi", 4.0, None), ("extrapolation", 4.0, "rope_parameters"), ("pi", 8.0, "rope")]
)
def test_a_training_goes_on_with_the_positions_it_began_with(
    method: str, factor: float, differs: str | None, tmp_path: Path
) -> None:
    extending.extended_config(TINY, tmp_path, Method("pi"), 4.0).save_pretrained(tmp_path)
    config = extending.extended_config(TINY, tmp_path, Method(method), factor)
    if differs is None:
        extending.check_checkpoint(tmp_path, config)
        return
    with pytest.raises(UsageError, match=f"was trained with {differs}.*same base, method and context"):
        extending.check_checkpoint(tmp_path, config)
