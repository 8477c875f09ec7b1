"""A base under a method: its configuration, the model that is tuned or measured, and its fingerprint.

The rope parameters go into the configuration before the model is built: transformers ignores or refuses later ones.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from position_interpolation.machine import distributed
from position_interpolation.models import methods, rope
from position_interpolation.models.loading import base_config, folder, load, random, random_sha256, read
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Method, Model


def geometry(config: Any, window: int) -> rope.Geometry:
    """A base's rotary embedding, from its transformers configuration and L."""
    head_dimension = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    theta = config.rope_parameters["rope_theta"]
    if isinstance(theta, str | bool) or not 1 < theta < float("inf"):
        raise UsageError(f"the base's config.json has rope_theta={theta}: expected a number above 1")
    declared = getattr(config, "original_max_position_embeddings", None)  # transformers would take it for L
    if declared not in (None, window):
        fault = f"original_max_position_embeddings={declared}, and L is {window}"
        raise UsageError(f"the base's config.json has {fault}: set model.window={declared}, or take it out there")
    return rope.Geometry(theta, head_dimension, window)


def extended_config(model: Model, cache: Path, method: Method, factor: float) -> Any:
    """The base's configuration with the method's rope parameters and L'.

    Raises:
        UsageError: the method does not fit the base.
    """
    config = base_config(model, cache)
    own = {**config.rope_parameters, **_of_window(config)}
    kind = own.get("rope_type", "default")
    if methods.changes(method):
        if kind != "default":
            raise UsageError(f"the base's RoPE is already scaled ({kind}): {method.name} needs an unscaled base")
        base = geometry(config, model.window)
        own = rope.rope_parameters(own, methods.rotation(method, base, factor), base, factor)
        if own == config.rope_parameters:
            way_out = "set context=x2 or method=none" if factor == 1 else "change its options or set method=none"
            raise UsageError(f"method={method.name} with factor {factor:g} is the base itself: {way_out}")
    elif kind == "dynamic" and factor > 1:
        raise UsageError("rope type 'dynamic' takes L' for the base's window and changes nothing: use another base")
    config.rope_parameters = own
    config.max_position_embeddings = round(model.window * factor)
    return config


def _of_window(config: Any) -> rope.Parameters:
    """The rope parameters that transformers derives from the declared window, as they are at L.

    They have to be stated, as an extension declares another window.
    """
    own = config.rope_parameters
    kind = own.get("rope_type", "default")
    if kind not in ("yarn", "llama3", "longrope"):
        return {}
    original = own.get("original_max_position_embeddings") or config.max_position_embeddings
    factor = own.get("factor") or config.max_position_embeddings / original
    found = {"original_max_position_embeddings": original, "factor": factor}
    if kind != "llama3":
        found["attention_factor"] = float(ROPE_INIT_FUNCTIONS[kind](config)[1])
    return found


def rotation(model: Model, cache: Path, method: Method, factor: float) -> rope.Rotation:
    """How the extension must rotate: as its method says, or as transformers rotates the base at L."""
    config = base_config(model, cache)
    if methods.changes(method):
        return methods.rotation(method, geometry(config, model.window), factor)
    kind = config.rope_parameters.get("rope_type", "default")
    if kind == "default":
        return rope.Rotation(geometry(config, model.window).frequencies)
    frequencies, scaling = ROPE_INIT_FUNCTIONS[kind](config)
    return rope.Rotation(frequencies.double().numpy(), scaling)


def build(
    model: Model, cache: Path, method: Method, factor: float, seed: int, start: Path | None = None, shards: int = 1,
    dtype: torch.dtype = torch.float32,
) -> Any:  # fmt: skip
    """The model under the method's positions, in the precision `dtype`, shared by `shards` processes.

    It has the weights of the checkpoint `start` or, given None, those of the base; the seed decides random ones.
    """
    config = extended_config(model, cache, method, factor)
    place = start or folder(model, cache)
    if place is None and shards > 1:  # each process can then read its share
        place = cache / "random" / random_sha256(model, seed)
        with distributed.first_alone():
            if not (place / "model.safetensors").is_file():  # written after config.json
                random(config, seed).save_pretrained(place)
    built = random(config, seed, dtype) if place is None else load(place, config, dtype, shards)
    rope.check_rotation(built, rotation(model, cache, method, factor), method.name)
    return built


def check_checkpoint(place: Path, config: Any) -> None:
    """Refuse to go on from a checkpoint of another method, window or shape."""
    found = read(place, lambda: AutoConfig.from_pretrained(place, trust_remote_code=False))
    for key in ("rope_parameters", "max_position_embeddings", "hidden_size", "num_hidden_layers", "vocab_size"):
        theirs, ours = getattr(found, key), getattr(config, key)
        if theirs != ours:
            fault = f"was trained with {key}={theirs}, this run has {ours}"
            raise UsageError(f"train.resume_from={place} {fault}: expected the same base, method and context")


def architecture_sha256(model: Model, cache: Path, method: Method, factor: float) -> str:
    """Fingerprint of everything in an extension's configuration that can change a number, rope parameters included."""
    settings = extended_config(model, cache, method, factor).to_diff_dict()
    for key in ("_name_or_path", "architectures", "dtype", "transformers_version", "use_cache"):
        settings.pop(key, None)
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
