"""What the numbers and choices of the configuration can be."""

import math
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Architecture, Config


def known(what: str, value: str, choices: Iterable[str]) -> None:
    """Refuse a value that is none of its choices."""
    if value not in (names := tuple(choices)):
        raise UsageError(f"{what}={value} is not known: choose one of {', '.join(names)}")


def check_values(config: Config) -> None:
    """Refuse numbers and words that make no sense."""
    for group in ("model", "context", "data", "train", "task", "compute", "wandb"):
        check_fields(group, getattr(config, group))
    lengths = getattr(config.task, "lengths", None)
    shares = lengths is None or (lengths and all(0 < share <= 1 for share in lengths))
    _require(bool(shares), "task.lengths", lengths, "shares of the window, above 0 and at most 1")
    train = config.train
    for key, beta in (("beta1", train.beta1), ("beta2", train.beta2)):
        _require(beta < 1, f"train.{key}", beta, "a number below 1")
    _require(0 <= config.seed < 2**32, "seed", config.seed, f"0 to {2**32 - 1}")
    mixed = train.mixture.values()
    if any(not 0 <= share <= 1 for share in mixed) or (mixed and abs(sum(mixed) - 1) > 1e-6):
        expected = "shares of at least 0 that sum to 1; what is given is added to the recipe's own, 0 takes one out"
        raise UsageError(f"train.mixture={train.mixture}: expected {expected}")


def check_architecture(shape: Architecture | None) -> None:
    """Refuse a shape of which no model can be built."""
    if shape is None:
        return
    check_fields("model.architecture", shape)
    heads, shared, hidden = shape.num_attention_heads, shape.num_key_value_heads, shape.hidden_size
    if hidden % heads or hidden // heads % 2:
        fault = f"{hidden} does not divide into {heads} heads of even size"
        raise UsageError(f"model.architecture.hidden_size={fault}: change hidden_size or num_attention_heads")
    if heads % shared:
        raise UsageError(f"{shared} key-value heads do not divide {heads} heads: change num_key_value_heads")


def check_fields(group: str, settings: Any) -> None:
    """Refuse a field that holds what it does not take (bounds.py)."""
    for item in fields(settings):
        key, value, takes = f"{group}.{item.name}", getattr(settings, item.name), item.metadata
        if "choices" in takes:
            known(key, value, takes["choices"])
        elif "least" in takes and value is not None:
            several = isinstance(value, list)
            for one in value if several else [value]:
                expected = f"{'numbers' if several else 'a number'} of at least {takes['least']}"
                _require(takes["least"] <= one < math.inf, key, value, expected)
                _require(one <= takes["most"], key, value, f"at most {takes['most']}")


def _require(holds: bool, key: str, value: Any, expected: str) -> None:
    if not holds:
        raise UsageError(f"{key}={value} makes no sense: expected {expected}")
