"""Tuning on windows that one process cannot hold: a group of processes shares each window.

Every process computes one stretch of its group's window. In each layer it gathers the keys and values of the whole
group, and its queries see those up to their own position, as in the training of Llama 3 (arXiv:2407.21783, section
3.3.2). The rest of a layer works on one position at a time and needs no other stretch.
"""

from typing import Any

import torch
from torch import distributed
from torch.distributed._functional_collectives import all_gather_single_autograd
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.data import Dataset

Item = dict[str, torch.Tensor]
Group = distributed.ProcessGroup


class Stretches(Dataset[Item]):
    """The stretches of training windows, in the order in which a Trainer's processes take them.

    A Trainer gives micro-batch number i to process i modulo the number of processes. So `size` consecutive
    micro-batches are the stretches of the same windows, one for each process of a group.
    """

    def __init__(self, windows: Any, size: int, micro_batch: int) -> None:
        """Cut each of `windows` in `size` equal stretches; `micro_batch` windows share a forward."""
        self.windows, self.size, self.micro_batch = windows, size, micro_batch

    def __len__(self) -> int:
        return len(self.windows) * self.size

    def __getitem__(self, index: int) -> Item:
        batch, row = divmod(index, self.micro_batch)
        shared, stretch = divmod(batch, self.size)
        item = self.windows[shared * self.micro_batch + row]
        tokens = len(item["input_ids"]) // self.size
        start, end = stretch * tokens, (stretch + 1) * tokens
        return {
            "input_ids": item["input_ids"][start:end],
            "labels": item["labels"][start : end + 1],  # the last position's target stands in the next stretch
            "position_ids": torch.arange(start, end),
        }


def own_group(size: int) -> Group | None:
    """This process's group of `size` consecutive processes; None if each process has windows of its own."""
    if size == 1:
        return None
    mine, _ = distributed.new_subgroups(group_size=size)
    return mine


def mean(count: torch.Tensor, group: Group | None) -> torch.Tensor:
    """A number's mean over the group, without a gradient."""
    if group is None:
        return count
    total = count.detach().float()
    distributed.all_reduce(total, group=group)
    return total / group.size()


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, group: Group
) -> torch.Tensor:
    """Causal attention of one stretch on itself and all before it, differentiable on every process.

    From (B, H, t, d) queries and (B, G, t, d) keys and values of this process's stretch, G a divisor of H, to
    (B, H, t, d). Scores are scaled by 1 / sqrt(d) by default. The group's processes hold the stretches in order.
    """
    seen = (group.rank() + 1) * query.shape[2]
    # Every process gathers everything, even what it does not see: the backward pass is one exchange among all.
    keys, values = (all_gather_single_autograd(states, 2, group)[:, :, :seen] for states in (key, value))
    query, keys = query.to(values.dtype), keys.to(values.dtype)  # rotary embeddings may have made float32
    visible: Any = causal_lower_right(query.shape[2], keys.shape[2])
    return scaled_dot_product_attention(
        query, keys, values, attn_mask=visible, scale=scaling, enable_gqa=query.shape[1] != keys.shape[1]
    )
