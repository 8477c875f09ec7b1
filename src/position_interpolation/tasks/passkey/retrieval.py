"""Passkey retrieval (section 3.3, Figure 3, Table 4): a five-digit key in filler, asked for at the end.

The paper does not state the prompt's length, the decoding or the matching rule. Here every prompt, with its answer,
fills the window of L' positions; prompts are built from token ids, so that length and distance are exact; decoding is
greedy. What must match is `task.match`'s to say:

- `key`: every digit, and nothing else. What the answer begins with whatever the key, a lone space on most tokenizers,
  belongs to the prompt: a model that would rather write another word there has not lost the key.
- `strict`: that beginning as well. It asks for the model's taste in words, too.
- `number`: as YaRN's and LongRoPE's scripts have it, the first number that is written freely behind the prompt. The
  prompt is so much shorter that what is written, ten tokens for five digits, still ends with the window.

The filler of each trial starts at another of its tokens: trials that shared all text
but the key would be hardly more than one, and success would hang on where a distance cuts the filler. A key's distance
k is counted in tokens from the end of the prompt back to the key's first digit in its first mention. The prompt's fixed
lines leave no room for the outermost distances (on tiny below 37 tokens from the end, and in the first 57): these are
moved inwards and keep their label k, and the records nearest_key and farthest_key say how far they reach.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.passkey.config import distances
from position_interpolation.text.encoding import encode
from position_interpolation.text.prompts import FILLER, fill, head, split

BEFORE_KEY = "\nThe pass key is "
AFTER_KEY = ". Remember it. {key} is the pass key.\n"
QUESTION = "\nWhat is the pass key? The pass key is"
BESIDE = 5  # tokens that are written beside a key's digits: ten in all for five, as in YaRN's and LongRoPE's scripts


@dataclass(frozen=True)
class Probe:
    """One trial: a prompt, the answer that follows it, and where its key stands."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    lead: int  # how many of the answer's first tokens no key decides
    key: str
    label: int  # k of the grid
    distance: int  # k as built


def writing(digits: int) -> int:
    """How many tokens are written where a model writes freely: a key and what may stand about it."""
    return digits + BESIDE


def build(tokenizer: Any, key: str, distance: int, window: int, phase: int = 0, match: str = "key") -> Probe:
    """The prompt whose key lies `distance` tokens before its end, filling `window` positions with its answer.

    Before and behind the key the filler starts at its token number `phase`. `match` says where the answer begins.

    Raises:
        UsageError: the window is too small for the prompt's fixed lines.
    """
    begin = head(tokenizer)
    before, digits = split(tokenizer, BEFORE_KEY, key)
    after = encode(tokenizer, AFTER_KEY.format(key=key))
    question = encode(tokenizer, QUESTION)
    asked, answer = split(tokenizer, QUESTION + " ", key)
    lead = asked[len(question) :]
    if match == "key":
        question, lead = asked, []
    answer = lead + answer
    room = max(len(answer), writing(len(key))) if match == "number" else len(answer)
    nearest = len(digits) + len(after) + len(question)
    # The last answer token is predicted, never read, so prompt and answer fill window + 1 ids.
    filler = window + 1 - room - len(begin) - len(before) - nearest
    if filler < 0:
        raise UsageError(
            f"a window of {window} is too small for the passkey prompt: it needs {window - filler}; set a longer "
            "context or task.window, or larger task.lengths"
        )
    behind = min(max(distance - nearest, 0), filler)
    prompt = [
        *begin,
        *fill(tokenizer, filler - behind, phase),
        *before,
        *digits,
        *after,
        *fill(tokenizer, behind, phase),
        *question,
    ]
    return Probe(tuple(prompt), tuple(answer), len(lead), key, label=distance, distance=behind + nearest)


def probes(
    tokenizer: Any, window: int, count: int, trials: int, digits: int, seed: int, match: str = "key"
) -> list[Probe]:
    """`trials` probes at each of `count` distances, each with its own random key and start of the filler.

    Raises:
        UsageError: the tokenizer does not give every key the same number of tokens, and they are judged one by one.
    """
    generator = random.Random(seed)
    period = len(encode(tokenizer, FILLER))

    def trial(distance: int) -> Probe:
        key = str(generator.randrange(10 ** (digits - 1), 10**digits))
        return build(tokenizer, key, distance, window, generator.randrange(period), match)

    built = [trial(distance) for distance in distances(window, count) for _ in range(trials)]
    tokens = sorted({len(probe.answer) - probe.lead for probe in built})
    if match != "number" and len(tokens) > 1:
        raise UsageError(
            f"this tokenizer joins digits: keys have {tokens[0]} to {tokens[-1]} tokens, which task.match={match} "
            "cannot judge one by one; set task.match=number"
        )
    return built


def successes(trials: Sequence[Probe], hits: Sequence[bool]) -> dict[int, int]:
    """Successful trials at each distance of the grid."""
    wins = {probe.label: 0 for probe in trials}
    for probe, hit in zip(trials, hits, strict=True):
        wins[probe.label] += hit
    return wins
