"""The head and its loss, forward and backward at once, for some positions at a time, so that few logits are ever held.

A position's gradient needs nothing but its own logits, so the forward pass computes the gradients too. It takes three
matrix products in the precision of the rest, and one softmax, which computes in float32 whatever it reads and writes.
"""

from collections.abc import Callable
from typing import Any

import torch

from position_interpolation.models import context_parallel
from position_interpolation.models.context_parallel import Group

IGNORED = -100  # a target that does not count
LOGIT_ROWS = 1024  # positions whose logits are held at a time
TOKENS = 4096  # tokens of the vocabulary whose gradient is added up at a time: such products fit the cache


def mean_loss(
    model: Any, inputs: dict[str, torch.Tensor], autocast: Callable[[], Any], context_group: Group | None
) -> torch.Tensor:
    """Mean next-token loss of (B, T) ids, labels and positions, without holding all logits.

    Where processes share a window, it is this stretch's share of the window's mean, times the number of processes: the
    mean over the processes, which the Trainer takes of gradients, is then that of the window. The labels of a stretch
    have one more token, the target of its last position.
    """
    read = {key: value for key, value in inputs.items() if key != "labels"}
    shared = {} if context_group is None else {"context_group": context_group}  # for attention.py
    with autocast():  # the decoder is called directly, not through the wrapper that would autocast it
        hidden = model.model(**read, **shared, use_cache=False).last_hidden_state
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
    labels = inputs["labels"][:, 1:]
    states = hidden[:, : labels.shape[1]].flatten(0, 1)
    total = total_loss(states, model.lm_head.weight, labels.flatten(), dtype)
    return total / context_parallel.mean((labels != IGNORED).sum(), context_group)


def total_loss(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Sum of the next-token losses in nats, differentiable once, from (N, d) states, (V, d) weight and (N,) target ids.

    Loss and gradient come from probabilities rounded to `dtype`, the precision of matrix products. Rounding is coarse
    near 1, so the probability of a likely target is taken from those of all other tokens. A loss above about 87 nats
    counts as 87; its gradient is right. Targets that are `IGNORED` do not count.
    """
    counted = targets != IGNORED
    hidden = hidden.masked_fill(~counted[:, None], 0)  # so their gradient is 0, and they add none to the weight's
    return _TotalLoss.apply(hidden, weight, targets.clamp(min=0), counted, dtype)


class _TotalLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, counted: torch.Tensor,
        dtype: torch.dtype,
    ) -> torch.Tensor:  # fmt: skip
        """The sum, a float32 scalar; its gradients are worked out in the same pass and kept for `backward`."""
        states, head = hidden.to(dtype), weight.to(dtype)
        of_hidden = torch.empty_like(states)
        of_weight = torch.zeros_like(weight, dtype=torch.float32)  # many products add up
        total = hidden.new_zeros((), dtype=torch.float32)
        held = states.new_empty(min(LOGIT_ROWS, len(states)), len(head))  # used again
        for start in range(0, len(states), LOGIT_ROWS):
            rows = slice(start, start + LOGIT_ROWS)
            target = targets[rows]
            logits = torch.mm(states[rows], head.t(), out=held[: len(target)])
            likely = torch.softmax(logits, dim=-1, out=logits)
            targeted = torch.arange(len(target), device=target.device), target
            hit = likely[targeted]
            likely[targeted] = 0
            others = likely.sum(dim=-1)
            total -= (_log(hit, others) * counted[rows]).sum()
            likely[targeted] = -others  # `likely` now holds the gradient of the logits
            torch.mm(likely, head, out=of_hidden[rows])
            for sums, slopes in zip(of_weight.split(TOKENS), likely.split(TOKENS, dim=1), strict=True):
                sums += torch.mm(slopes.t(), states[rows])
        context.slopes = of_hidden.to(hidden.dtype), of_weight.to(weight.dtype)
        return total

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        of_hidden, of_weight = context.slopes
        del context.slopes  # so that the weight takes its gradient without a copy
        return of_hidden.mul_(gradients[0]), of_weight.mul_(gradients[0]), None, None, None


def _log(hit: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """log of (N,) probabilities, given those of all other tokens together."""
    hit, others = hit.float(), others.float()
    return torch.where(hit > 0.5, torch.log1p(-others.clamp(max=0.5)), hit.clamp(min=torch.finfo(hit.dtype).tiny).log())
