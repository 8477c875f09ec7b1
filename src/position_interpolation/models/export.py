"""An extension as a plain folder that other programs read."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from position_interpolation.machine import files
from position_interpolation.models import loading, tokenizing
from position_interpolation.models.checkpoint import CONFIG

GENERATION = "generation_config.json"


def export(
    model: Any, tokenizer: Any, place: Path, dtype: str, readme: str | None = None, base: Path | None = None
) -> None:
    """Write weights, configuration and tokenizer as one plain folder.

    transformers 5 keeps all of RoPE in `rope_parameters`. Earlier versions, and programs such as llama.cpp's converter,
    look for `rope_theta` and `rope_scaling`. The configuration has both. The tokenizer states L' for its longest text:
    the base's own states L, at which readers would cut or stop. The generation settings, which no measurement reads,
    are those of the folder `base`, with room for L' tokens.

    Files in the folder stay as they are until all new ones are written. Then the weights of an earlier export go.

    Raises:
        OSError: the folder cannot be written.
        UsageError: weights are not finite, or too large for `dtype`.
    """
    copy = model.to(getattr(torch, dtype))
    loading.check_finite(copy, f"the extension in {dtype} would have", "choose another task.dtype or correct the model")
    partial = place / files.PARTIAL
    with files.writing(place, Exception):  # the package tokenizers raises nothing more exact
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _save(copy, tokenizer, partial, dtype, base)
        if readme is not None:
            files.write_text(partial / "README.md", readme)
        for path in (place / CONFIG, *place.glob("*.safetensors*")):
            path.unlink(missing_ok=True)
        # The configuration comes last: without it no program takes the folder for a model.
        for path in sorted(partial.iterdir(), key=lambda path: path.name == CONFIG):
            path.chmod(0o644)  # safetensors makes its files private
            path.replace(place / path.name)
        partial.rmdir()


def _save(copy: Any, tokenizer: Any, place: Path, dtype: str, base: Path | None) -> None:
    copy.config.dtype = dtype
    copy.config.use_cache = True  # for generation
    # transformers unties a head that differs from the embedding; other readers go by what the configuration says.
    copy.config.tie_word_embeddings = copy.get_output_embeddings().weight is copy.get_input_embeddings().weight
    copy.generation_config = GenerationConfig.from_model_config(copy.config)
    copy.save_pretrained(place)
    if stated := _generation(base):
        if "max_length" in stated:  # L, as in Llama 2's; with the prompt, at which `generate` would stop or fail
            stated["max_length"] = copy.config.max_position_embeddings
        files.write_text(place / GENERATION, json.dumps(stated, indent=2) + "\n")
    tokenizer.model_max_length = copy.config.max_position_embeddings
    tokenizing.save(tokenizer, place)
    path = place / CONFIG
    written = json.loads(path.read_text())
    written.pop("auto_map", None)  # of code that stays with the base
    scaling = dict(written["rope_parameters"])
    written["rope_theta"] = scaling.pop("rope_theta")
    if scaling.get("rope_type", "default") != "default":
        written["rope_scaling"] = {**scaling, "type": scaling["rope_type"]}
    files.write_text(path, json.dumps(written, indent=2, sort_keys=True) + "\n")


def _generation(base: Path | None) -> dict[str, Any]:
    """The generation settings of a folder; empty if it has none that can be read."""
    try:
        stated = {} if base is None else json.loads((base / GENERATION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stated if isinstance(stated, dict) else {}
