"""What the numbers and choices of the configuration can be."""

import math
from collections.abc import Iterable

from position_interpolation.settings import bounds
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Architecture, Config


def known(what: str, value: str, choices: Iterable[str]) -> None:
    """Raise UsageError unless a value is one of its choices."""
    if value not in (names := tuple(choices)):
        raise UsageError(f"{what}={value} is not known: choose one of {', '.join(names)}")


def check_numbers(config: Config) -> None:
    """Raise UsageError for the first number that is not finite, or outside what makes sense."""
    for group in ("model", "context", "train", "task", "compute"):
        bounds.check(group, getattr(config, group))
    factors = getattr(config.task, "window_factors", [])
    if not all(0 <= factor < math.inf for factor in factors):
        raise UsageError(f"task.window_factors={factors} makes no sense: expected numbers of at least 0")
    lengths = getattr(config.task, "lengths", None)
    if lengths is not None and not (lengths and all(0 < share <= 1 for share in lengths)):
        raise UsageError(f"task.lengths={lengths} makes no sense: expected shares of the window, above 0 and at most 1")
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
    """Raise UsageError unless a model of this shape can be built."""
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
