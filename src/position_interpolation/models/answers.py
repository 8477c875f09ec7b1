"""What a model answers to prompts: read off one forward per prompt, or written by it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol, TypeVar

import torch
from transformers import GenerationConfig

from position_interpolation.machine import distributed
from position_interpolation.models.scoring import greedy_scores

Answer = TypeVar("Answer")
Told = Callable[[int], None]


class Asked(Protocol):
    """One trial: a prompt, and the answer that should follow it, as token ids."""

    @property
    def prompt(self) -> tuple[int, ...]:
        """What the model is given."""

    @property
    def answer(self) -> tuple[int, ...]:
        """What it should write."""


Trials = Sequence[Asked]


@dataclass(frozen=True)
class Reading:
    """What one teacher-forced forward says of the tokens of an answer."""

    greedy: tuple[bool, ...]  # is each the most likely after those before it, so that greedy decoding writes it
    losses: tuple[float, ...]  # nats


@torch.inference_mode()
def read(model: Any, trials: Trials, tokens_per_forward: int, progress: Told = lambda _: None) -> list[Reading]:
    """One forward per trial, which costs no more than its prompt; all prompts have the same length."""
    return _in_batches(trials, tokens_per_forward, lambda group: _read(model, group), progress)


def write(
    model: Any, trials: Trials, count: int, tokens_per_forward: int, progress: Told = lambda _: None
) -> list[list[int]]:
    """The first `count` tokens that greedy decoding writes after each prompt, fewer if it ends its text before."""
    ends = model.config.eos_token_id

    def written(group: Trials) -> list[list[int]]:
        return generated(model, [trial.prompt for trial in group], count, ends)

    return _in_batches(trials, tokens_per_forward, written, progress)


@torch.inference_mode()
@torch.compiler.set_stance("force_eager")  # else the layers would be compiled again for every token
def generated(
    model: Any, prompts: Sequence[Sequence[int]], most: int, ends: int | list[int] | None, **drawn: float
) -> list[list[int]]:
    """At most `most` tokens written after each of some prompts of one length, up to a token that ends a text (`ends`).

    Decoding is greedy, unless `drawn` says, in the words of a GenerationConfig, how tokens are drawn.
    """
    ids = torch.tensor(prompts, device=model.device)
    settings = GenerationConfig(
        do_sample=bool(drawn), max_new_tokens=most, eos_token_id=ends, pad_token_id=0, use_cache=True, **drawn
    )
    written = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    last = ends if isinstance(ends, list) else [ends]
    return [list(takewhile(lambda token: token not in last, row)) for row in written[:, ids.shape[1] :].tolist()]


def fingerprint(trials: Trials) -> str:
    """Hash of every prompt and answer."""
    return hashlib.sha256(repr([(trial.prompt, trial.answer) for trial in trials]).encode()).hexdigest()


def tokens(trials: Trials) -> int:
    """Tokens of all prompts together."""
    return sum(len(trial.prompt) for trial in trials)


def _read(model: Any, group: Trials) -> list[Reading]:
    longest = max(len(trial.answer) for trial in group)  # lengths differ where a tokenizer joins digits
    rows = [trial.prompt + trial.answer + (0,) * (longest - len(trial.answer)) for trial in group]
    matches, losses = greedy_scores(model, torch.tensor(rows, device=model.device), longest)
    return [
        Reading(tuple(match[: len(trial.answer)]), tuple(loss[: len(trial.answer)]))
        for trial, match, loss in zip(group, matches.tolist(), losses.tolist(), strict=True)
    ]


def _in_batches(
    trials: Trials, tokens_per_forward: int, answers: Callable[[Trials], list[Answer]], progress: Told
) -> list[Answer]:
    """The answers to all trials; each process computes its share of the batches."""
    batch = max(1, tokens_per_forward // len(trials[0].prompt))
    found: dict[int, list[Answer]] = {}
    for first in range(0, len(trials), batch):
        group = trials[first : first + batch]
        if distributed.is_mine(first // batch):
            found[first] = answers(group)
        progress(tokens(group))
    found = distributed.merged(found)
    return [answer for first in sorted(found) for answer in found[first]]
