"""The learning rate by step: a linear warm-up, then what the recipe says (section 3.1)."""

from collections.abc import Callable

from position_interpolation.settings.schema import Train

DECAY_SHARE = 0.2  # of all steps, for the schedule wsd


def learning_rate_factor(train: Train) -> Callable[[int], float]:
    """Share of the peak learning rate at each step (section 3.1: linear warm-up over 20 steps from 10 %).

    The paper does not say what follows the warm-up. With `constant`, a run's checkpoint at step k is the run of k
    steps; `wsd` (warm-up, stable, decay) falls linearly to zero over the last fifth.
    """
    decay_steps = max(1, round(train.steps * DECAY_SHARE))

    def factor(step: int) -> float:
        if step < train.warmup_steps:
            return train.warmup_start + (1 - train.warmup_start) * step / train.warmup_steps
        if train.schedule == "wsd":
            return min(1.0, max(0.0, (train.steps - step) / decay_steps))
        return 1.0

    return factor
