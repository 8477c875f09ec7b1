"""Which tokens are key, and the perplexity over them (arXiv:2410.23771, equations 4 to 6)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from position_interpolation.evidence.intervals import Estimate, Floats
from position_interpolation.tasks.perplexity.windows import Scored, perplexity

KEY, ALL = "key_perplexity", "all_perplexity"  # metrics
Marks = NDArray[np.bool_]


def key(long: Floats, short: Floats, alpha: float, beta: float) -> Marks:
    """Whether each token is key: much likelier from a long context than from a short one, and likely from it.

    From an evaluator's (n,) losses in nats with either context. `alpha` is the least gain of the long context (LSD in
    the paper, long-short difference), `beta` its least log-probability (LCL, long-context likelihood).
    """
    return (short - long > alpha) & (-long > beta)


def over(documents: Sequence[Floats], marks: Sequence[Marks], samples: int) -> Estimate:
    """Perplexity over the marked tokens, with an interval over the documents that have some; at least one must."""
    found = [losses[own] for losses, own in zip(documents, marks, strict=True) if own.any()]
    return perplexity([Scored(losses, np.array([len(losses)])) for losses in found], "token", samples)
