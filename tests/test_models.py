"""What a model must be for a run to mean what it says, found out before it is trained."""

from pathlib import Path

import pytest
from transformers import LlamaConfig, MistralConfig, Qwen2Config

from position_interpolation.models import extending, loading
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Method, Model

TINY = Model(name="tiny", rung="tiny", source="packaged", location="tiny", window=256)


@pytest.mark.parametrize(
    ("config", "slides"),
    [
        (LlamaConfig(max_position_embeddings=512), False),
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
    wanted = extending.extended_config(TINY, tmp_path, Method(method), factor)
    if differs is None:
        extending.check_checkpoint(tmp_path, wanted)
        return
    with pytest.raises(UsageError, match=f"was trained with {differs}.*same base, method and context"):
        extending.check_checkpoint(tmp_path, wanted)
