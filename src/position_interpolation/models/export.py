"""An extension as a plain folder that other programs read."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import GenerationConfig

from position_interpolation.machine import files
from position_interpolation.models import loading

CONFIG, GENERATION = "config.json", "generation_config.json"


def export(
    model: Any,
    tokenizer: Any,
    place: Path,
    dtype: str,
    others: Mapping[str, str] = MappingProxyType({}),
    base: Path | None = None,
) -> None:
    """Write weights, configuration (complete rope parameters included) and tokenizer as one plain folder.

    The tokenizer says L' for its longest text: a base's own says L, at which readers would cut or stop.

    transformers 5 keeps all of RoPE in `rope_parameters`; what came before it, and readers of its files such as
    llama.cpp's converter, look for `rope_theta` and `rope_scaling`. The configuration has both. How a model is meant to
    write, which no measurement reads, is taken from the folder `base` as it is.

    What lies in the folder stays as it is until all is written beside it. Of an earlier export the weights go.

    Args:
        model: the extension.
        tokenizer: its tokenizer.
        place: the folder.
        dtype: of the weights.
        others: text files by name.
        base: the base's own folder.

    Raises:
        OSError: it cannot be written.
        UsageError: weights are no numbers, or too large for `dtype`.
    """
    copy = model.to(getattr(torch, dtype))
    loading.check_finite(copy, f"the extension in {dtype} would have", "choose another task.dtype or correct the model")
    partial = place / files.PARTIAL
    with files.writing(place, Exception):  # tokenizers has none more exact
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _save(copy, tokenizer, partial, dtype, base)
        for name, text in others.items():
            files.write_text(partial / name, text)
        for path in (place / CONFIG, *place.glob("*.safetensors*")):
            path.unlink(missing_ok=True)
        # The configuration comes last: without it nothing takes the folder for a model.
        for path in sorted(partial.iterdir(), key=lambda path: path.name == CONFIG):
            path.chmod(0o644)  # safetensors writes for its user alone
            path.replace(place / path.name)
        partial.rmdir()


def _save(copy: Any, tokenizer: Any, place: Path, dtype: str, base: Path | None) -> None:
    copy.config.dtype = dtype
    copy.config.use_cache = True  # for those who write with it
    copy.generation_config = GenerationConfig.from_model_config(copy.config)
    copy.save_pretrained(place)
    if base is not None and (base / GENERATION).is_file():
        shutil.copyfile(base / GENERATION, place / GENERATION)
    tokenizer.model_max_length = copy.config.max_position_embeddings
    tokenizer.save_pretrained(place)
    path = place / CONFIG
    written = json.loads(path.read_text())
    scaling = dict(written["rope_parameters"])
    written["rope_theta"] = scaling.pop("rope_theta")
    if scaling.get("rope_type", "default") != "default":
        written["rope_scaling"] = {**scaling, "type": scaling["rope_type"]}
    files.write_text(path, json.dumps(written, indent=2, sort_keys=True) + "\n")
