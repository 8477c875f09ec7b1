"""Zero-shot multiple choice at the base's own window (section 3.4, Table 5): which choice a model finds likeliest.

A choice's score is the sum of the log-likelihoods of its tokens given the context. The choice with the largest sum is
the model's answer on all five sets, as in the plain `acc` of lm-evaluation-harness. The sum divided by the choice's
bytes is kept too, as in its `acc_norm`: it decides the normalised accuracy and the margin. The paper names neither
harness nor rule. The LLaMA paper divides by the choice's characters, on BoolQ by the likelihood of the choice behind
"Answer:" alone; but the paper's base row is not the LLaMA paper's either. So numbers compare within one table only.

BOS, context and choice have to fit the window: a longer context loses its beginning. A choice that does not fit the
window by itself (a handful of PIQA's solutions at a window of 256) loses its own beginning and is scored on what is
left, for the base and its extensions alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from position_interpolation.evidence.intervals import Floats
from position_interpolation.models.scoring import marked_losses
from position_interpolation.tasks.benchmarks.questions import Question
from position_interpolation.text.encoding import decode, encode


@dataclass(frozen=True)
class Prompt:
    """One choice of one question as token ids: BOS, what fits of the context, the choice."""

    tokens: tuple[int, ...]
    scored: int  # how many tokens at the end are the choice
    size: int  # bytes of UTF-8 that these stand for, without spaces around them
    cut: bool  # whether the beginning did not fit


@dataclass(frozen=True)
class Scores:
    """A model's scores of every choice (C) of every question (Q) of a set."""

    log_likelihoods: Floats  # (Q, C), nats
    sizes: NDArray[np.int64]  # (Q, C), bytes
    tokens: NDArray[np.int64]  # (Q, C), scored tokens
    cut: NDArray[np.bool_]  # (Q,), whether a choice lost its context's beginning
    answers: NDArray[np.int64]  # (Q,), place of the right choice

    @property
    def per_byte(self) -> Floats:
        """(Q, C) log-likelihood of a choice divided by its bytes."""
        return self.log_likelihoods / self.sizes


def prompts(tokenizer: Any, questions: Sequence[Question], window: int, bos: int | None) -> list[Prompt]:
    """Every choice of every question, in order, cut on the left to `window` tokens.

    Context and choice are tokenised together, as they would be read. The choice's tokens are those from the first on
    that differs from the tokens of the context alone.
    """
    pairs = [pair for item in questions for pair in zip(item.contexts, item.choices, strict=True)]
    texts = list(dict.fromkeys(text for context, choice in pairs for text in (context, context + choice)))
    ids = {text: encode(tokenizer, text) for text in texts}
    head = () if bos is None else (bos,)
    built = []
    for context, choice in pairs:
        whole = tuple(ids[context + choice])
        both = zip(ids[context], whole, strict=False)
        own = len(whole) - sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
        tokens = head + whole[-(window - len(head)) :]
        scored = min(own, len(tokens) - 1)  # nothing stands before the first token to predict it from
        text = choice if scored == own else decode(tokenizer, tokens[-scored:])
        size = max(1, len(text.strip().encode()))
        built.append(Prompt(tokens, scored, size, len(head) + len(whole) > window))
    return built


@torch.inference_mode()
def log_likelihoods(
    model: Any, asked: Sequence[Prompt], tokens_per_forward: int, progress: Callable[[int], None]
) -> Floats:
    """Summed log-likelihood of each prompt's choice, in nats; prompts of similar length share a forward.

    A batch holds at most `tokens_per_forward` positions, padding included, but at least one prompt. `progress` is
    called with the positions that have run through the model, without padding.
    """
    order: list[int] = []
    sums: list[torch.Tensor] = []
    for group in _like_lengths([len(prompt.tokens) for prompt in asked], tokens_per_forward):
        ids = torch.zeros(len(group), max(len(asked[i].tokens) for i in group), dtype=torch.int64)
        marked = torch.zeros(ids.shape, dtype=torch.bool)
        for row, prompt in enumerate(asked[i] for i in group):
            end = len(prompt.tokens)
            ids[row, :end] = torch.tensor(prompt.tokens)
            marked[row, end - prompt.scored : end] = True
        losses = marked_losses(model, ids, marked)
        sums += [-own.sum() for own in losses.split([asked[i].scored for i in group])]
        order += group
        progress(sum(len(asked[i].tokens) for i in group))
    found = np.empty(len(asked))
    found[order] = torch.stack(sums).cpu().numpy()
    return found


def right(scores: Scores, normalised: bool = False) -> Floats:
    """(Q,) 1 where the likeliest choice is the right one, else 0; `normalised` compares likelihoods per byte."""
    likeliest = (scores.per_byte if normalised else scores.log_likelihoods).argmax(axis=1)
    return (likeliest == scores.answers).astype(np.float64)


def margins(scores: Scores) -> Floats:
    """(Q,) log-likelihood per byte of the right choice minus that of the best wrong one, in nats a byte."""
    rows = np.arange(len(scores.answers))
    wrong = scores.per_byte.copy()
    wrong[rows, scores.answers] = -np.inf
    difference: Floats = scores.per_byte[rows, scores.answers] - wrong.max(axis=1)
    return difference


def _like_lengths(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Groups of sequences, by length, that hold at most `tokens` positions with padding, or a single sequence."""
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[place] > tokens:
            yield group
            group = []
        group.append(place)
    if group:
        yield group
