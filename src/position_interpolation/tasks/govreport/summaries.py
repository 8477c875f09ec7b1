"""Summaries of long reports (Table 6): the prompt, what a model is tuned on, and how it writes.

The paper gives the template, cuts inputs to 15000 tokens and lets a summary have 1000. Here the whole prompt counts as
input, and only the report in it is cut, never its fixed lines. For tuning, a summary that had to be cut has no EOS;
only whole ones end with it. What is written is scored against the whole summary.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from position_interpolation.models.answers import generated
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.govreport.config import Lengths
from position_interpolation.tasks.govreport.pairs import Pair
from position_interpolation.text.encoding import bos, decode, encode, end, first_tokens
from position_interpolation.text.packing import shuffled_passes

BEFORE = "Read the following article and then summarize it.\n#"
AFTER = "\nNow summarize the above article.\nSummary:"
IGNORED = -100  # the label of a token that is not learnt


def prompt(tokenizer: Any, report: str, most: int) -> list[int]:
    """Token ids of the template around as much of a report as `most` tokens have room for.

    Raises:
        UsageError: there is no room for a report.
    """
    begin = bos(tokenizer)
    start = [] if begin is None else [begin]
    after = encode(tokenizer, AFTER)
    room = most - len(start) - len(after)
    if room <= len(encode(tokenizer, BEFORE)):
        least = most - room + len(encode(tokenizer, BEFORE)) + 1
        raise UsageError(f"a prompt of {most} tokens has no room for a report, its fixed lines need {least}")
    return [*start, *first_tokens(tokenizer, f"{BEFORE} {report}", room), *after]


def target(tokenizer: Any, summary: str, most: int) -> list[int]:
    """Token ids that follow the prompt: the summary cut to `most`, or the whole summary and EOS."""
    after = encode(tokenizer, AFTER)
    ids = first_tokens(tokenizer, f"{AFTER} {summary}", len(after) + most + 1)[len(after) :]
    return ids[:most] if len(ids) > most else [*ids, *end(tokenizer)]


class Examples(Dataset[dict[str, torch.Tensor]]):
    """Every pair once, in an order drawn from the seed, then every pair again in another order, `length` in all.

    An item has the ids (T,) of prompt and target, and labels (T,) that count the target alone. Item i does not depend
    on the length, so a longer training begins as a shorter one.
    """

    def __init__(self, pairs: Sequence[Pair], tokenizer: Any, lengths: Lengths, length: int, seed: int) -> None:
        self.pairs, self.tokenizer, self.lengths = pairs, tokenizer, lengths
        self.order: NDArray[Any] = shuffled_passes(len(pairs), length, [seed, 2])

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        pair = self.pairs[self.order[index]]
        before = prompt(self.tokenizer, pair.text, self.lengths.prompt)
        after = target(self.tokenizer, pair.summary, self.lengths.summary)
        labels = [*[IGNORED] * len(before), *after]
        return {"input_ids": torch.tensor([*before, *after]), "labels": torch.tensor(labels)}


def text_of(tokenizer: Any, ids: Sequence[int]) -> str:
    """Tokens as text."""
    return decode(tokenizer, ids, special=False).strip()


@dataclass(frozen=True)
class Sampling:
    """How a summary is drawn, token by token."""

    temperature: float
    top_p: float
    most: int  # tokens
    seed: int


def write(model: Any, ids: Sequence[int], eos: int | None, sampling: Sampling, identifier: str) -> list[int]:
    """Tokens that the model writes after a prompt, without EOS.

    The document's identifier and the seed decide the random numbers, whatever was written before.
    """
    seed = int.from_bytes(hashlib.sha256(f"{sampling.seed} {identifier}".encode()).digest()[:7])
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        (written,) = generated(model, [ids], sampling.most, eos, **drawn)
    return written
