"""An extension as a plain folder that other programs read."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from position_interpolation.machine import files

CONFIG = "config.json"


def export(model: Any, tokenizer: Any, place: Path, dtype: str, others: dict[str, str]) -> None:
    """Write weights, configuration (complete rope parameters included) and tokenizer as one plain folder.

    transformers 5 keeps all of RoPE in `rope_parameters`; what came before it, and readers of its files such as
    llama.cpp's converter, look for `rope_theta` and `rope_scaling`. The configuration has both.

    What lies in the folder stays as it is until all is written beside it. Of an earlier export the weights go.

    Args:
        model: the extension.
        tokenizer: its tokenizer.
        place: the folder.
        dtype: of the weights.
        others: text files by name.

    Raises:
        OSError: it cannot be written.
    """
    partial = place / files.PARTIAL
    with files.writing(place, Exception):  # tokenizers has none more exact
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _save(model, tokenizer, partial, dtype)
        for name, text in others.items():
            files.write_text(partial / name, text)
        for path in (place / CONFIG, *place.glob("*.safetensors*")):
            path.unlink(missing_ok=True)
        # The configuration comes last: without it nothing takes the folder for a model.
        for path in sorted(partial.iterdir(), key=lambda path: path.name == CONFIG):
            os.replace(path, place / path.name)
        partial.rmdir()


def _save(model: Any, tokenizer: Any, place: Path, dtype: str) -> None:
    copy = model.to(getattr(torch, dtype))
    copy.config.dtype = dtype
    copy.config.use_cache = True  # for those who write with it
    copy.save_pretrained(place)
    tokenizer.save_pretrained(place)
    path = place / CONFIG
    written = json.loads(path.read_text())
    scaling = dict(written["rope_parameters"])
    written["rope_theta"] = scaling.pop("rope_theta")
    if scaling.get("rope_type", "default") != "default":
        written["rope_scaling"] = {**scaling, "type": scaling["rope_type"]}
    files.write_text(path, json.dumps(written, indent=2, sort_keys=True) + "\n")
