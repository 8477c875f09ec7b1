"""Passkey retrieval (section 3.3, Figure 3, Table 4): a five-digit key in filler, asked for at the end.

The paper does not state the prompt's length, the decoding or the matching rule. Here every prompt, with its answer,
fills the window of L' positions; prompts are built from token ids, so that length and distance are exact; decoding is
greedy and every digit must match. The filler of each trial starts at another of its tokens: trials that shared all text
but the key would be hardly more than one, and success would hang on where a distance cuts the filler. A key's distance
k is counted in tokens from the end of the prompt back to the key's first digit in its first mention. The prompt's fixed
lines leave no room for the outermost distances (on tiny below 37 tokens from the end, and in the first 57): these are
moved inwards and keep their label k, and the records nearest_key and farthest_key say how far they reach.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc
from torch.nn.functional import pad
from transformers import GenerationConfig

from position_interpolation.evidence.intervals import Estimate
from position_interpolation.machine import distributed
from position_interpolation.models.scoring import greedy_matches
from position_interpolation.settings.errors import UsageError
from position_interpolation.text.encoding import bos, encode

HEADER = (
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. "
    "I will quiz you about the important information there.\n"
)
FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "
BEFORE_KEY = "\nThe pass key is "
AFTER_KEY = ". Remember it. {key} is the pass key.\n"
QUESTION = "\nWhat is the pass key? The pass key is"
TAIL = 0.025  # of a 95 % interval, at each end


@dataclass(frozen=True)
class Probe:
    """One trial: a prompt, the answer that follows it, and where its key stands."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    label: int  # k of the grid
    distance: int  # k as built


def distances(window: int, count: int) -> list[int]:
    """`count` distances uniformly spaced in the window: window / count, ..., window."""
    if window % count:
        raise UsageError(f"{count} distances do not divide a window of {window}: change task.distances")
    return [window // count * number for number in range(1, count + 1)]


def build(tokenizer: Any, key: str, distance: int, window: int, phase: int = 0) -> Probe:
    """The prompt whose key lies `distance` tokens before its end, filling `window` positions with its answer.

    Before and behind the key the filler starts at its token number `phase`.

    Raises:
        UsageError: the window is too small for the prompt's fixed lines.
    """
    first = bos(tokenizer)
    head = ([] if first is None else [first]) + encode(tokenizer, HEADER)
    before = encode(tokenizer, BEFORE_KEY + key)
    # Where the key starts depends on the tokenizer alone: digits are the tail of "... is 12345".
    digits = len(before) - len(_shared_prefix(before, encode(tokenizer, BEFORE_KEY + _other(key))))
    after = encode(tokenizer, AFTER_KEY.format(key=key))
    question = encode(tokenizer, QUESTION)
    answer = encode(tokenizer, QUESTION + " " + key)[len(question) :]
    # The last answer token is predicted, never read, so prompt and answer fill window + 1 ids.
    length = window + 1 - len(answer)
    filler = length - len(head) - len(before) - len(after) - len(question)
    if filler < 0:
        raise UsageError(f"a window of {window} is too small for the passkey prompt: it needs {window - filler}")
    behind = distance - digits - len(after) - len(question)
    behind = min(max(behind, 0), filler)
    prompt = [
        *head,
        *_fill(tokenizer, filler - behind, phase),
        *before,
        *after,
        *_fill(tokenizer, behind, phase),
        *question,
    ]
    return Probe(tuple(prompt), tuple(answer), distance, behind + digits + len(after) + len(question))


def probes(tokenizer: Any, window: int, count: int, trials: int, digits: int, seed: int) -> list[Probe]:
    """`trials` probes at each of `count` distances, each with its own random key and start of the filler.

    Raises:
        UsageError: the tokenizer does not give every key the same number of tokens.
    """
    generator = random.Random(seed)
    period = len(encode(tokenizer, FILLER))

    def trial(distance: int) -> Probe:
        key = str(generator.randrange(10 ** (digits - 1), 10**digits))
        return build(tokenizer, key, distance, window, phase=generator.randrange(period))

    built = [trial(distance) for distance in distances(window, count) for _ in range(trials)]
    if len({len(probe.answer) for probe in built}) > 1:
        raise UsageError("this tokenizer joins digits, so keys differ in length: passkey needs one token a digit")
    return built


@torch.inference_mode()
def verdicts(
    model: Any,
    trials: Sequence[Probe],
    tokens_per_forward: int,
    generate: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> list[bool]:
    """Whether the model writes each probe's key, all digits right, by greedy decoding.

    By default one teacher-forced forward a probe; with `generate` the tokens are really generated. The verdicts agree.
    """
    batch = max(1, tokens_per_forward // len(trials[0].prompt))
    found: dict[int, torch.Tensor] = {}
    for first in range(0, len(trials), batch):
        group = trials[first : first + batch]
        if distributed.is_mine(first // batch):
            prompts = torch.tensor([probe.prompt for probe in group], device=model.device)
            answers = torch.tensor([probe.answer for probe in group], device=model.device)
            found[first] = (_written if generate else _most_likely)(model, prompts, answers)
        progress(sum(len(probe.prompt) for probe in group))
    found = distributed.merged({first: verdicts.cpu() for first, verdicts in found.items()})
    return [bool(verdict) for first in sorted(found) for verdict in found[first].tolist()]


@torch.compiler.set_stance("force_eager")  # layers compiled for whole windows would be so again at every token
def _written(model: Any, prompts: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """(B,) whether generate writes the (B, A) answers behind the (B, T) prompts."""
    greedy = GenerationConfig(max_new_tokens=answers.shape[1], do_sample=False, pad_token_id=0)
    written = model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=greedy)
    # A batch that ends early comes back short; no answer holds the token -1.
    written = pad(written, (0, prompts.shape[1] + answers.shape[1] - written.shape[1]), value=-1)
    return (written[:, prompts.shape[1] :] == answers).all(dim=-1)


def _most_likely(model: Any, prompts: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """The same from one forward."""
    return greedy_matches(model, torch.cat([prompts, answers], dim=1), answers.shape[1])


def successes(trials: Sequence[Probe], hits: Sequence[bool]) -> dict[int, int]:
    """Successful trials at each distance of the grid."""
    wins = {probe.label: 0 for probe in trials}
    for probe, hit in zip(trials, hits, strict=True):
        wins[probe.label] += hit
    return wins


def fingerprint(trials: Sequence[Probe]) -> str:
    """Hash of every prompt and answer, as token ids."""
    return hashlib.sha256(repr([(probe.prompt, probe.answer) for probe in trials]).encode()).hexdigest()


def wilson(successes: int, trials: int, z: float = 1.959964) -> Estimate:
    """A success rate with its 95 % Wilson score interval."""
    rate = successes / trials
    centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return Estimate(rate, max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def longest_retrieved(rates: dict[int, float], threshold: float) -> int:
    """k_max: the largest k such that every k' <= k reaches the threshold; 0 if the shortest does not."""
    longest = 0
    for distance in sorted(rates):
        if rates[distance] < threshold:
            break
        longest = distance
    return longest


def k_max(successes: dict[int, int], trials: int, threshold: float) -> Estimate:
    """k_max with a 95 % interval from exact binomial tests, 2.5 % at each end.

    Its low end is the largest k such that each k' <= k succeeds significantly more often than the threshold. Its high
    end is the largest k up to which no run of neighbouring distances, taken together, succeeds significantly less
    often, which is corrected for the number of runs. No rates are assumed, so the truth lies inside at least 95 times
    in 100; but few trials leave nearly every k possible, and one trial a distance has no low end but 0.
    """
    value = longest_retrieved({k: wins / trials for k, wins in successes.items()}, threshold)
    order = sorted(successes)
    wins = np.array([successes[k] for k in order])
    surely = bdtrc(wins - 1, trials, threshold) < TAIL  # P(at least so many hits) at the threshold itself
    low = longest_retrieved(dict(zip(order, surely.astype(float), strict=True)), 1.0)
    high = [0, *order][_first_failing(wins, trials, threshold)]
    return Estimate(float(value), float(low), float(high))


def _first_failing(wins: NDArray[np.int64], trials: int, threshold: float) -> int:
    """How many distances there are before the end of the first run that succeeds significantly too seldom."""
    sums, count = np.concatenate([[0], np.cumsum(wins)]), len(wins)
    runs = count * (count + 1) / 2
    for stop in range(1, count + 1):
        starts = np.arange(stop)
        if (bdtr(sums[stop] - sums[starts], trials * (stop - starts), threshold) < TAIL / runs).any():
            return stop - 1
    return count


def _fill(tokenizer: Any, count: int, phase: int) -> list[int]:
    return list(islice(cycle(encode(tokenizer, FILLER)), phase, phase + count))


def _other(key: str) -> str:
    """A key that differs in its first digit."""
    return ("2" if key[0] == "1" else "1") + key[1:]


def _shared_prefix(left: list[int], right: list[int]) -> list[int]:
    shared = []
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        shared.append(a)
    return shared
