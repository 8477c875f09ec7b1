"""Passkey retrieval (section 3.3, Figure 3, Table 4): a five-digit key in filler, asked for at the end.

The paper does not state the prompt's length, the decoding or the matching rule. Here every prompt, with its answer,
fills the window of L' positions. Prompts are built from token ids, so that length and distance are exact, and decoding
is greedy. `task.match` says what must match:

- `key`: every digit, and nothing else. What every answer begins with, a lone space on most tokenizers, belongs to the
  prompt: a model that prefers another word there has not lost the key.
- `strict`: that beginning as well. So it also tests the model's taste in words.
- `number`: the first number written freely after the prompt, as in YaRN's and LongRoPE's scripts. The prompt is
  shorter, so that what is written, ten tokens for five digits, still ends with the window.

The filler of each trial starts at another of its tokens. Trials that differed in the key alone would hardly count as
several, and success would depend on where a distance cuts the filler. A key's distance k is counted in tokens from the
end of the prompt back to the key's first digit in its first mention. The prompt's fixed lines leave no room for the
outermost distances (on tiny below 37 tokens from the end, and in the first 57). Keys there are moved inwards and keep
their label k; the records nearest_key and farthest_key say how far the keys reach.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from position_interpolation.models.answers import Reading
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.passkey.config import distances
from position_interpolation.text.encoding import decode, encode
from position_interpolation.text.prompts import FILLER, fill, head, split

BEFORE_KEY = "\nThe pass key is "
AFTER_KEY = ". Remember it. {key} is the pass key.\n"
QUESTION = "\nWhat is the pass key? The pass key is"
BESIDE = 5  # tokens written in addition to a key's digits: ten for five digits, as in YaRN's and LongRoPE's scripts


@dataclass(frozen=True)
class Probe:
    """One trial: a prompt, the answer that follows it, and where its key stands."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    lead: int  # how many of the answer's first tokens are the same for every key
    key: str
    label: int  # the distance k that was asked for
    distance: int  # the distance k that the prompt has


def build(tokenizer: Any, key: str, distance: int, window: int, phase: int = 0, match: str = "key") -> Probe:
    """The prompt whose key lies `distance` tokens before its end; with its answer it fills `window` positions.

    It is the announcement, filler, the lines with the key, filler again and the question. Each stretch of filler begins
    with the filler's token number `phase`. `match` decides where the answer begins.

    Raises:
        UsageError: the window is too small for the prompt's fixed lines.
    """
    begin = head(tokenizer)
    before, digits = split(tokenizer, BEFORE_KEY, key)
    after = encode(tokenizer, AFTER_KEY.format(key=key))
    asked, key_ids = split(tokenizer, QUESTION + " ", key)
    question = asked if match == "key" else encode(tokenizer, QUESTION)
    lead = asked[len(question) :]  # with which every answer begins
    answer = [*lead, *key_ids]
    written = max(len(answer), len(key) + BESIDE) if match == "number" else len(answer)
    nearest = len(digits) + len(after) + len(question)  # the distance of a key without filler behind it
    # The last token written is predicted, never read, so prompt and answer fill window + 1 ids.
    filler = window + 1 - len(begin) - len(before) - nearest - written
    if filler < 0:
        raise UsageError(
            f"a window of {window} is too small for the passkey prompt: it needs {window - filler}; set a longer "
            "context or task.window, or larger task.lengths"
        )
    behind = min(max(distance - nearest, 0), filler)
    ahead, between = fill(tokenizer, filler - behind, phase), fill(tokenizer, behind, phase)
    prompt = [*begin, *ahead, *before, *digits, *after, *between, *question]
    return Probe(tuple(prompt), tuple(answer), len(lead), key, label=distance, distance=behind + nearest)


def probes(
    tokenizer: Any, window: int, count: int, trials: int, digits: int, seed: int, match: str = "key"
) -> list[Probe]:
    """`trials` probes at each of `count` distances, each with its own random key and start of the filler.

    Raises:
        UsageError: tokens are judged one by one, and the tokenizer does not give every key the same number of them.
    """
    generator = random.Random(seed)
    period = len(encode(tokenizer, FILLER))
    built = []
    for distance in distances(window, count):
        for _ in range(trials):
            key = str(generator.randrange(10 ** (digits - 1), 10**digits))
            built.append(build(tokenizer, key, distance, window, generator.randrange(period), match))
    tokens = sorted({len(probe.answer) - probe.lead for probe in built})
    if match != "number" and len(tokens) > 1:
        raise UsageError(
            f"this tokenizer joins digits: keys have {tokens[0]} to {tokens[-1]} tokens, which task.match={match} "
            "cannot judge one by one; set task.match=number"
        )
    return built


def log_likelihood(probe: Probe, reading: Reading) -> float:
    """Log-likelihood of the key, in nats per digit."""
    return -sum(reading.losses[probe.lead :]) / len(probe.key)


def right(tokenizer: Any, probe: Probe, written: Sequence[int], match: str) -> bool:
    """Whether what was written is right by a rule of `config.MATCHES`."""
    if match == "number":
        number = re.search(r"\d+", decode(tokenizer, written))
        return number is not None and int(number.group()) == int(probe.key)
    return tuple(written[: len(probe.answer)]) == probe.answer
