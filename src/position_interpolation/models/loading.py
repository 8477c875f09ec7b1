"""Models from disk, from a wheel, from the hub or from random weights, always with complete rope parameters.

The rope parameters go into the configuration before the model is built: later assignments are ignored or raise.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.distributed import DistributedConfig
from transformers.utils import logging

from position_interpolation.machine import distributed, files
from position_interpolation.models import attention, checkpoint, rope, tokenizing
from position_interpolation.models.wheel import smollm2_folder
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import ASSETS
from position_interpolation.settings.schema import Architecture, Model

# RoPE from `rope_parameters`, and logits that are the head's output and nothing more: what method and scoring rely on.
FAMILIES = ("llama", "mistral", "qwen2", "qwen3")

# Bars for shards that load in milliseconds, and notes on defaults, tell a reader of our logs nothing.
logging.set_verbosity_error()
logging.disable_progress_bar()


def folder(model: Model, cache: Path) -> Path | None:
    """Where the base's files are, brought there if need be; None for random weights.

    Raises:
        UsageError: they cannot be had.
    """
    if model.source == "random":
        return None
    if model.source == "packaged":
        return ASSETS / str(model.location)
    if model.source == "wheel":
        return smollm2_folder(cache)
    if model.source == "path":
        place = Path(str(model.location))
        if not (place / "config.json").is_file():
            raise UsageError(f"no model in {place}: expected a folder with config.json; set model.location")
        return place
    if model.source == "hub":
        return checkpoint.download(str(model.location), model.revision)
    raise UsageError(f"model.source={model.source} is not known: packaged, wheel, path, hub or random")


def tokenizer(model: Model, cache: Path) -> Any:
    """The base's tokenizer, or the one that `model.tokenizer` names; random weights use the tiny one.

    Raises:
        UsageError: there is none, or the base has fewer embeddings than it has tokens.
    """
    place = folder(model, cache) or ASSETS / "tiny"
    if model.tokenizer is not None:
        packaged = ASSETS / model.tokenizer
        place = packaged if packaged.is_dir() else Path(model.tokenizer)
    return tokenizing.embedded(tokenizing.read(place), base_config(model, cache).vocab_size)


def base_config(model: Model, cache: Path) -> Any:
    """The base's own transformers configuration.

    Raises:
        UsageError: it is of a family whose positions or logits are made otherwise, or of another window.
    """
    place = folder(model, cache)
    if place is not None:
        config = _read(place, lambda: AutoConfig.from_pretrained(place, trust_remote_code=False))
        if config.model_type not in FAMILIES:
            raise UsageError(
                f"models of type '{config.model_type}' are not supported: choose one of type {', '.join(FAMILIES)}"
            )
        if quantised := getattr(config, "quantization_config", None):
            method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised.quant_method
            raise UsageError(
                f"the weights in {place} are quantised ({method or 'quantization_config'}): expected plain ones, those "
                "of the model that it was made from; set model.location"
            )
        if config.rope_parameters.get("partial_rotary_factor", 1) != 1:
            raise UsageError(f"{place} rotates only a part of each head: expected a model that rotates all of it")
        if config.max_position_embeddings != model.window:
            raise UsageError(
                f"model.window={model.window}, but {place} was made for {config.max_position_embeddings} positions "
                f"(config.json): set model.window={config.max_position_embeddings}"
            )
        return config
    shape = model.architecture
    if shape is None:
        raise UsageError("model.source=random needs model.architecture: see conf/model/smoke.yaml")
    return LlamaConfig(
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        num_key_value_heads=shape.num_key_value_heads,
        vocab_size=shape.vocab_size,
        tie_word_embeddings=shape.tie_word_embeddings,
        max_position_embeddings=model.window,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


def check_full_attention(config: Any) -> None:
    """Make sure that every position of the extended window sees all before it, as processes that share it compute.

    Raises:
        UsageError: some layers see a sliding window of less.
    """
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    sliding = getattr(config, "sliding_window", None) if any(kind != "full_attention" for kind in kinds) else None
    if sliding is not None and sliding < config.max_position_embeddings:
        raise UsageError(
            f"compute.context_parallel cannot share a window between processes where layers see only {sliding} "
            "positions: set compute.context_parallel=1"
        )


def check_checkpoint(place: Path, wanted: Any) -> None:
    """Make sure that a training which goes on from a checkpoint goes on with the same model and positions.

    Raises:
        UsageError: it is of another method, window or shape.
    """
    found = _read(place, lambda: AutoConfig.from_pretrained(place, trust_remote_code=False))
    for key in ("rope_parameters", "max_position_embeddings", "hidden_size", "num_hidden_layers", "vocab_size"):
        theirs, ours = getattr(found, key), getattr(wanted, key)
        if theirs != ours:
            raise UsageError(
                f"train.resume_from={place} was trained with {key}={theirs}, this run has {ours}: expected a "
                "checkpoint of the same base, method and context"
            )


def architecture(model: Model, cache: Path) -> Architecture:
    """The base's shape: as configured, else that of its own configuration, which a hub model is downloaded for."""
    if model.architecture is not None:
        return model.architecture
    config = base_config(model, cache)
    names = [name for name in Architecture.__dataclass_fields__ if name != "rope_theta"]
    return Architecture(
        **{name: getattr(config, name) for name in names}, rope_theta=config.rope_parameters["rope_theta"]
    )


def geometry(config: Any, window: int) -> rope.Geometry:
    """A base's rotary embedding, from its transformers configuration and L."""
    head_dimension = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return rope.Geometry(config.rope_parameters["rope_theta"], head_dimension, window)


def extended_config(model: Model, cache: Path, method: str, factor: float) -> Any:
    """The base's configuration with the method's rope parameters and the extended window."""
    config = base_config(model, cache)
    own = dict(config.rope_parameters)
    config.rope_parameters = rope.rope_parameters(own, method, geometry(config, model.window), factor)
    config.max_position_embeddings = round(model.window * factor)
    return config


def load(place: str | Path, config: Any = None, dtype: torch.dtype = torch.float32, shards: int = 1) -> Any:
    """Load a causal language model; `config` replaces the saved one.

    The rotary frequencies stay in float32 whatever the dtype of the weights. With `shards` above 1 each of so many
    processes keeps its share of every weight (FSDP2).

    Raises:
        UsageError: not a model, or its weights are not exactly those that its configuration asks for: transformers
            would fill a gap with random ones.
    """
    model, report = _read(
        place,
        lambda: AutoModelForCausalLM.from_pretrained(
            place,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation=attention.NAME,  # no mask means causal to it, and that is what `scoring` passes
            output_loading_info=True,
            distributed_config=DistributedConfig(fsdp_size=shards) if shards > 1 else None,
        ),
    )
    for fault in ("missing", "unexpected", "mismatched"):
        if names := report.get(f"{fault}_keys"):
            raise UsageError(
                f"{place} has {fault} weights ({', '.join(sorted(map(str, names))[:3])}): expected those of its "
                "config.json; copy the model again or correct model.location"
            )
    return model.eval()


def _read(place: str | Path, reading: Callable[[], Any]) -> Any:
    try:
        return reading()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"{place} cannot be read as a model ({first}): expected config.json, *.safetensors and tokenizer files; "
            "remove the folder if a run made it, else correct model.location"
        ) from error


def build(
    model: Model, cache: Path, method: str, factor: float, seed: int, start: Path | None = None, shards: int = 1
) -> Any:
    """Where tuning starts, in float32 under the method's positions: the base's weights, or those of a checkpoint.

    Args:
        model: the base.
        cache: folder of converted models.
        method: how positions past L are treated.
        factor: s = L' / L.
        seed: of random weights.
        start: a checkpoint to go on from; None starts from the base.
        shards: how many processes share the weights.
    """
    config = extended_config(model, cache, method, factor)
    place = start or folder(model, cache)
    if place is None and shards > 1:  # each process can then read its share
        place = cache / "random" / random_sha256(model, seed)
        with distributed.first_alone():
            if not (place / "model.safetensors").is_file():  # written after config.json
                random(config, seed).save_pretrained(place)
    built = random(config, seed) if place is None else load(place, config, shards=shards)
    rope.check_rotation(built, method, geometry(config, model.window), factor)
    return built


def random(config: Any, seed: int, dtype: torch.dtype = torch.float32) -> Any:
    """A model of this configuration with random weights that depend on the seed alone.

    The rotary frequencies stay in float32, as in `load`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval()
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    model.set_attn_implementation(attention.NAME)
    return model


def random_sha256(model: Model, seed: int) -> str:
    """Fingerprint of random weights: of the architecture and the seed that make them."""
    return hashlib.sha256(f"{model.architecture} {seed}".encode()).hexdigest()


def architecture_sha256(model: Model, cache: Path, method: str, factor: float) -> str:
    """Fingerprint of everything in an extension's configuration that can change a number, rope parameters included."""
    settings = extended_config(model, cache, method, factor).to_diff_dict()
    for key in ("_name_or_path", "architectures", "dtype", "transformers_version", "use_cache"):
        settings.pop(key, None)
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def weights_sha256(place: str | Path) -> str:
    """Fingerprint of a saved model's weights: the hash of its safetensors files' hashes, in name order."""
    paths = sorted(Path(place).glob("*.safetensors"))
    if not paths:
        raise UsageError(f"no *.safetensors in {place}: expected a saved model")
    return hashlib.sha256("".join(files.sha256(path) for path in paths).encode()).hexdigest()
