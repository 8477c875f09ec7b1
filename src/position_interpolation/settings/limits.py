"""What every number of the configuration can be."""

import math

from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Architecture, Config

# The least that each number of the configuration can be; one that is None is not given.
LEAST: dict[str, dict[str, float]] = {
    "model": {"window": 2, "base_tokens": 1},
    "context": {"factor": 1, "window": 2},
    "train": {
        "steps": 0, "chunk": 2, "batch_size": 1, "learning_rate": 0, "warmup_steps": 0, "warmup_start": 0,
        "weight_decay": 0, "beta1": 0, "beta2": 0, "clip": 0, "save_every": 1, "log_every": 1,
    },
    "task": {
        "documents": 1, "sample": 1, "stride": 1, "truncate_factor": 1, "minimum_factor": 0, "bootstrap": 0,
        "window": 2, "block": 2, "distances": 1, "trials": 1, "digits": 1, "vocabulary": 300, "questions": 1,
        "pairs": 1, "spans": 16, "gpus": 1, "tokens_per_document": 2,
        "input_tokens": 1, "summary_tokens": 1, "learning_rate": 0, "batch_size": 1,
    },
    "compute": {"threads": 1, "tokens_per_forward": 1, "context_parallel": 1},
}  # fmt: skip
# The most that some can be: beyond, memory or patience ends first, or the number means nothing.
MOST: dict[str, dict[str, float]] = {
    "context": {"factor": 4096},
    "train": {"steps": 10_000_000, "batch_size": 1_000_000, "warmup_start": 1},
    "task": {"bootstrap": 100_000, "trials": 10_000, "distances": 10_000, "pairs": 100_000, "digits": 100},
    "compute": {"threads": 4096},
}


def check_numbers(config: Config) -> None:
    """Every number is one that it can be: finite, and between the least and the most that make sense.

    Raises:
        UsageError: for the first that is not.
    """
    for group, keys in LEAST.items():
        for key, least in keys.items():
            value = getattr(getattr(config, group), key, None)
            if value is not None and not least <= value < math.inf:
                raise UsageError(f"{group}.{key}={value} makes no sense: expected a number of at least {least}")
    for group, limits in MOST.items():
        for key, most in limits.items():
            value = getattr(getattr(config, group), key, None)
            if value is not None and value > most:
                raise UsageError(f"{group}.{key}={value} makes no sense: expected at most {most}")
    factors = getattr(config.task, "window_factors", [])
    if not all(0 <= factor < math.inf for factor in factors):
        raise UsageError(f"task.window_factors={factors} makes no sense: expected numbers of at least 0")
    for key in ("beta1", "beta2"):
        if getattr(config.train, key) >= 1:
            raise UsageError(f"train.{key}={getattr(config.train, key)} makes no sense: expected a number below 1")
    if not 0 <= config.seed < 2**32:
        raise UsageError(f"seed={config.seed} makes no sense: expected 0 to {2**32 - 1}")
    if any(step < 1 for step in config.train.checkpoints):
        raise UsageError(f"train.checkpoints={config.train.checkpoints} makes no sense: expected steps of at least 1")
    shares = config.train.mixture
    if any(not 0 <= share <= 1 for share in shares.values()) or (shares and abs(sum(shares.values()) - 1) > 1e-6):
        raise UsageError(
            f"train.mixture={dict(shares)}: expected shares of at least 0 that sum to 1; what is given is "
            "added to the recipe's own, so set to 0 what is not wanted"
        )


def check_architecture(shape: Architecture | None) -> None:
    """A model of this shape can be built.

    Raises:
        UsageError: it cannot.
    """
    if shape is None:
        return
    for key, value in vars(shape).items():
        if not isinstance(value, bool) and not 1 <= value < math.inf:
            raise UsageError(f"model.architecture.{key}={value} makes no sense: expected a number of at least 1")
    heads, shared = shape.num_attention_heads, shape.num_key_value_heads
    if shape.hidden_size % heads or shape.hidden_size // heads % 2:
        raise UsageError(
            f"model.architecture.hidden_size={shape.hidden_size} does not divide into {heads} heads of even size: "
            "change hidden_size or num_attention_heads"
        )
    if heads % shared:
        raise UsageError(f"{shared} key-value heads do not divide {heads} heads: change num_key_value_heads")
