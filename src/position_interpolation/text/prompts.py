"""Parts of prompts as token ids: filler of an exact number of tokens, and where in a text the tokens of a key begin."""

from itertools import cycle, islice, takewhile
from typing import Any

from position_interpolation.settings.errors import UsageError
from position_interpolation.text.encoding import bos, encode

HEADER = (
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. "
    "I will quiz you about the important information there.\n"
)
FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "
FIRST_DIGITS = "123456789"  # of keys


def head(tokenizer: Any) -> list[int]:
    """How every prompt begins: BOS, where the tokenizer has one, and the announcement."""
    first = bos(tokenizer)
    return ([] if first is None else [first]) + encode(tokenizer, HEADER)


def fill(tokenizer: Any, count: int, phase: int) -> list[int]:
    """`count` tokens of filler from its token number `phase` on."""
    return list(islice(cycle(encode(tokenizer, FILLER)), phase, phase + count))


def split(tokenizer: Any, text: str, key: str) -> tuple[list[int], list[int]]:
    """The tokens of a text followed by a key: first those that are the same for every key, then those of this key.

    The former are what keys with different first digits share, whatever a tokenizer does with spaces and digits.

    Raises:
        UsageError: the tokenizer writes two keys alike, so that none could be told from another.
    """
    others = [encode(tokenizer, text + first + key[1:]) for first in FIRST_DIGITS]
    if len(set(map(tuple, others))) < len(others):
        fault = "the tokenizer writes different numbers with the same tokens: expected one that knows every digit"
        raise UsageError(f"{fault}; choose another task, or set model.tokenizer=<folder>")
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*others, strict=False)))
    written = encode(tokenizer, text + key)
    return written[:shared], written[shared:]
