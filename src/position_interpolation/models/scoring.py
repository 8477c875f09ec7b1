"""Exact token losses of a window's last tokens, without computing what they do not need.

There is no key-value cache. The head, and in the last layer queries, MLP and output, are computed for scored rows only.
Keys and values still come from every row, so the losses are those of a full forward.
"""

from typing import Any

import torch
from torch.nn.functional import cross_entropy, scaled_dot_product_attention
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from position_interpolation.settings.errors import UsageError

HEAD_VALUES = 1 << 24  # logits held at a time: rows x vocabulary


def scored_losses(model: Any, ids: torch.Tensor, scored: int) -> torch.Tensor:
    """From (B, T) ids, (B, S) losses of the last S = `scored` tokens: nats, float32, on the model's device; S < T."""
    hidden = _last_rows(model, ids[:, :-1], scored).flatten(0, 1)
    return _losses(model, hidden, ids[:, -scored:].reshape(-1)).view(len(ids), scored)


def marked_losses(model: Any, ids: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihoods of the marked tokens of sequences of different lengths, padded on the right.

    Token ids and marks are (B, T), on the CPU. Padding can be any id: no position sees what follows it, so no attention
    mask is needed. No first token can be marked. The result is (N,) float32 losses in nats, sequence after sequence, on
    the model's device.
    """
    first = int(marked.any(dim=0).nonzero()[0])
    hidden = _last_rows(model, ids[:, :-1].to(model.device), ids.shape[1] - first).flatten(0, 1)
    picked = marked[:, first:].flatten().nonzero().squeeze(1)  # row t of a sequence predicts its token first + t
    return _losses(model, hidden[picked.to(model.device)], ids[marked].to(model.device))


def _losses(model: Any, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(N,) losses of N targets from their (N, d) hidden states, the head on a few rows at a time."""
    rows = max(1, HEAD_VALUES // model.config.vocab_size)
    losses = [
        cross_entropy(model.lm_head(chunk).float(), goal, reduction="none")
        for chunk, goal in zip(hidden.split(rows), targets.split(rows), strict=True)
    ]
    return torch.cat(losses)


def greedy_scores(model: Any, ids: torch.Tensor, answer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Whether each of the last `answer` tokens of each sequence is the most likely, and its loss, from one forward.

    Greedy decoding writes the answer exactly if every answer token is the most likely one after the true tokens before.
    From (B, T) token ids to (B, answer) booleans and (B, answer) float32 losses in nats, on the model's device.

    Raises:
        UsageError: the model's states are not finite.
    """
    hidden = _last_rows(model, ids[:, :-1], answer)
    if not hidden.isfinite().all():  # argmax would still name some token
        raise UsageError("the model's states are NaN or infinite: lower train.learning_rate or correct the model")
    logits, targets = model.lm_head(hidden), ids[:, -answer:]
    losses = cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
    return logits.argmax(dim=-1) == targets, losses.view_as(targets)


def _last_rows(model: Any, ids: torch.Tensor, rows: int) -> torch.Tensor:
    """(B, rows, d) final hidden states of the last `rows` positions of (B, T) ids."""
    if not isinstance(model, LlamaForCausalLM):
        hidden: torch.Tensor = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, -rows:]
        return hidden
    body: Any = model.model
    hidden = body.embed_tokens(ids)
    positions = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0)
    rotary = body.rotary_emb(hidden, positions)
    for layer in body.layers[:-1]:
        hidden = layer(hidden, attention_mask=None, position_ids=positions, position_embeddings=rotary, use_cache=False)
    last: torch.Tensor = body.norm(_last_layer(body.layers[-1], hidden, rotary, rows))
    return last


def _last_layer(layer: Any, hidden: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor], rows: int) -> torch.Tensor:
    """A Llama decoder layer whose queries are the last `rows` positions only."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    cos, sin = rotary
    flat = attention.q_proj(normed[:, -rows:]), attention.k_proj(normed), attention.v_proj(normed)
    query, key, value = (states.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2) for states in flat)
    query, _ = apply_rotary_pos_emb(query, query, cos[:, -rows:], sin[:, -rows:])
    key, _ = apply_rotary_pos_emb(key, key, cos, sin)
    length = hidden.shape[1]
    visible = None
    if rows < length:  # row i of the last `rows` sees every position up to its own
        visible = torch.ones(rows, length, dtype=torch.bool, device=hidden.device).tril(length - rows)
    options = {"is_causal": visible is None, "scale": attention.scaling, "enable_gqa": query.shape[1] != key.shape[1]}
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=visible, **options)
    output = hidden[:, -rows:] + attention.o_proj(mixed.transpose(1, 2).flatten(2))
    final: torch.Tensor = output + layer.mlp(layer.post_attention_layernorm(output))
    return final
