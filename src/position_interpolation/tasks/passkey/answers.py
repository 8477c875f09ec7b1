"""What a model answers to passkey probes: read off one forward each, or really written."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar

import torch
from transformers import GenerationConfig

from position_interpolation.machine import distributed
from position_interpolation.models.scoring import greedy_scores
from position_interpolation.tasks.passkey.retrieval import Probe
from position_interpolation.text.encoding import decode

Answer = TypeVar("Answer")
Told = Callable[[int], None]


@dataclass(frozen=True)
class Reading:
    """What one teacher-forced forward says of a probe."""

    right: bool  # greedy decoding would write the whole answer
    log_likelihood: float  # of the key, in nats a digit, which are its tokens where no digits are joined


@torch.inference_mode()
def read(
    model: Any, trials: Sequence[Probe], tokens_per_forward: int, progress: Told = lambda _: None
) -> list[Reading]:
    """One forward a probe, which costs no more than its prompt."""
    return _in_batches(trials, tokens_per_forward, lambda group: _read(model, group), progress)


@torch.inference_mode()
def write(
    model: Any, trials: Sequence[Probe], count: int, tokens_per_forward: int, progress: Told = lambda _: None
) -> list[list[int]]:
    """The `count` tokens that greedy decoding writes behind each prompt, or those before the end of its text."""
    return _in_batches(trials, tokens_per_forward, lambda group: _write(model, group, count), progress)


def right(tokenizer: Any, probe: Probe, written: Sequence[int], match: str) -> bool:
    """Whether what was written is right by a rule of `config.MATCHES`."""
    if match == "number":
        number = re.search(r"\d+", decode(tokenizer, written))
        return number is not None and int(number.group()) == int(probe.key)
    return tuple(written[: len(probe.answer)]) == probe.answer


def _read(model: Any, group: Sequence[Probe]) -> list[Reading]:
    longest = max(len(probe.answer) for probe in group)  # they differ where a tokenizer joins digits
    rows = [probe.prompt + probe.answer + (0,) * (longest - len(probe.answer)) for probe in group]
    matches, losses = greedy_scores(model, torch.tensor(rows, device=model.device), longest)
    readings = []
    for probe, match, loss in zip(group, matches.tolist(), losses.tolist(), strict=True):
        end = len(probe.answer)
        readings.append(Reading(all(match[:end]), -sum(loss[probe.lead : end]) / len(probe.key)))
    return readings


@torch.compiler.set_stance("force_eager")  # layers compiled for whole windows would be so again at every token
def _write(model: Any, group: Sequence[Probe], count: int) -> list[list[int]]:
    prompts = torch.tensor([probe.prompt for probe in group], device=model.device)
    ends = model.config.eos_token_id
    greedy = GenerationConfig(do_sample=False, max_new_tokens=count, eos_token_id=ends, pad_token_id=0, use_cache=True)
    written = model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=greedy)
    ends = ends if isinstance(ends, list) else [ends]
    return [list(takewhile(lambda token: token not in ends, row)) for row in written[:, prompts.shape[1] :].tolist()]


def _in_batches(
    trials: Sequence[Probe],
    tokens_per_forward: int,
    answers: Callable[[Sequence[Probe]], list[Answer]],
    progress: Told,
) -> list[Answer]:
    """The answers to all trials, each process's share of the batches taken by itself."""
    batch = max(1, tokens_per_forward // len(trials[0].prompt))
    found: dict[int, list[Answer]] = {}
    for first in range(0, len(trials), batch):
        group = trials[first : first + batch]
        if distributed.is_mine(first // batch):
            found[first] = answers(group)
        progress(sum(len(probe.prompt) for probe in group))
    found = distributed.merged(found)
    return [answer for first in sorted(found) for answer in found[first]]
