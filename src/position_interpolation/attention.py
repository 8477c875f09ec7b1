"""Exact causal attention on the CPU in bfloat16, as matrix products of one head and a block of queries at a time.

torch's own CPU kernel reaches about a third of what the same machine's bfloat16 matrix products do, and attention is
most of a long forward. A block's scores fit the cache, no key or value is repeated for the heads that share it, and
nothing past the diagonal block is computed. Scores are rounded to bfloat16 before the softmax, as in transformers'
eager attention.
Elsewhere (GPU, float32, masks, a cache, compiled models) transformers' `sdpa` does the work.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.amp import custom_bwd, custom_fwd
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from position_interpolation import context_parallel

NAME = "blockwise"
ROWS = 256  # queries a block: fewer make small products, more scores than the second-level cache holds


def forward(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    context_group: context_parallel.Group | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers calls it: (B, H, T, d) queries, (B, G, T, d) keys and values to (B, T, H, d).

    With a `context_group` T is one process's stretch of the window.
    """
    if context_group is not None:
        mixed = context_parallel.attention(query, key, value, scaling, context_group)
        return mixed.transpose(1, 2).contiguous(), None
    fast = (
        query.device.type == "cpu"
        and value.dtype == torch.bfloat16
        and attention_mask is None
        and query.shape[2] == key.shape[2]
        and not dropout
        and not torch.compiler.is_compiling()
    )
    if not fast:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **options)
    return causal_attention(query, key, value, scaling).transpose(1, 2).contiguous(), None


def causal_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None = None
) -> torch.Tensor:
    """softmax(q k^T * scaling) v over the keys up to each query's own position, differentiable.

    Args:
        query: (B, H, T, d); computed with in bfloat16.
        key: (B, G, T, d), G a divisor of H: query head h uses key head h // (H / G).
        value: (B, G, T, d).
        scaling: of the scores; default 1 / sqrt(d).

    Returns:
        (B, H, T, d) in bfloat16.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    query, key, value = (states.to(torch.bfloat16) for states in (query, key, value))  # rotary may have made float32
    mixed: torch.Tensor = _CausalAttention.apply(query * scale, key, value)
    return mixed


class _CausalAttention(torch.autograd.Function):
    """Forward and backward over (batch, key head, query head, block of queries); weights are made again in backward."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)  # also turns autocast off inside
    def forward(context: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        output = torch.empty(query.shape, dtype=query.dtype)
        scratch, triangle = _scratch(query), _triangle(query)
        for batch, group, heads in _groups(query, key):
            keys, values = key[batch, group].t().contiguous(), value[batch, group].contiguous()
            for head in heads:
                for start, end in _blocks(query):
                    weights = _weights(query[batch, head, start:end], keys[:, :end], triangle, scratch)
                    torch.mm(weights, values[:end], out=output[batch, head, start:end])
        context.save_for_backward(query, key, value, output)
        return output

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        query, key, value, output = context.saved_tensors
        gradient = gradients[0].to(query.dtype)
        of_query, of_key, of_value = (torch.empty(states.shape, dtype=states.dtype) for states in (query, key, value))
        # The softmax's backward takes from each weight's gradient the row's mean under the weights: this.
        mean = (gradient.float() * output.float()).sum(-1, keepdim=True).to(query.dtype)
        scratch, second, triangle = _scratch(query), _scratch(query), _triangle(query)
        for batch, group, heads in _groups(query, key):
            keys, values = key[batch, group].contiguous(), value[batch, group].contiguous()
            keys_t, values_t = keys.t().contiguous(), values.t().contiguous()
            sum_key, sum_value = torch.zeros(keys.shape), torch.zeros(values.shape)  # float32: many blocks add up
            for head in heads:
                for start, end in _blocks(query):
                    block = slice(start, end)
                    queries, upstream = query[batch, head, block], gradient[batch, head, block].contiguous()
                    weights = _weights(queries, keys_t[:, :end], triangle, scratch)
                    sum_value[:end] += weights.t() @ upstream
                    scores = torch.mm(upstream, values_t[:, :end], out=_shaped(second, end - start, end))
                    scores.sub_(mean[batch, head, block]).mul_(weights)
                    torch.mm(scores, keys[:end], out=of_query[batch, head, block])
                    sum_key[:end] += scores.t() @ queries
            of_key[batch, group], of_value[batch, group] = sum_key, sum_value
        return of_query, of_key, of_value


def _weights(queries: torch.Tensor, keys: torch.Tensor, triangle: torch.Tensor, scratch: torch.Tensor) -> torch.Tensor:
    """(R, E) attention weights of R queries, the last of E positions, on (d, E) keys; they lie in `scratch`."""
    rows, seen = len(queries), keys.shape[1]
    scores = torch.mm(queries, keys, out=_shaped(scratch, rows, seen))
    scores[:, seen - rows :] += triangle[:rows, :rows]
    return torch.softmax(scores, dim=-1, out=scores)


def _groups(query: torch.Tensor, key: torch.Tensor) -> Iterator[tuple[int, int, range]]:
    """Each batch row and key head with the query heads that use it."""
    share = query.shape[1] // key.shape[1]
    for batch in range(query.shape[0]):
        for group in range(key.shape[1]):
            yield batch, group, range(group * share, (group + 1) * share)


def _blocks(query: torch.Tensor) -> Iterator[tuple[int, int]]:
    length = query.shape[2]
    return ((start, min(start + ROWS, length)) for start in range(0, length, ROWS))


def _scratch(query: torch.Tensor) -> torch.Tensor:
    """Room for one block's scores, used again for every block."""
    return torch.empty(ROWS * query.shape[2], dtype=query.dtype)


def _shaped(scratch: torch.Tensor, rows: int, seen: int) -> torch.Tensor:
    return scratch[: rows * seen].view(rows, seen)


def _triangle(query: torch.Tensor) -> torch.Tensor:
    """(ROWS, ROWS) minus infinity above the diagonal: what a block's queries do not see of their own block."""
    return torch.full((ROWS, ROWS), -math.inf, dtype=query.dtype).triu(1)


AttentionInterface.register(NAME, forward)
AttentionMaskInterface.register(NAME, sdpa_mask)
