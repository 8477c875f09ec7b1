"""Text to token ids and back, the special tokens around it, and a tokenizer's fingerprint."""

import hashlib
from collections.abc import Sequence
from typing import Any

from position_interpolation.settings.errors import UsageError, shortened

CHARACTERS = 20  # read at first for each token that is asked for; most tokens are far shorter


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text without special tokens around it; one that is spelt out in the text is that token.

    Raises:
        UsageError: the tokenizer cannot write the text.
    """
    return _encoded(tokenizer, text)["input_ids"]


def first_tokens(tokenizer: Any, text: str, count: int | None) -> list[int]:
    """The first `count` token ids of a text, or all that it has; None asks for all."""
    if count is None:
        return encode(tokenizer, text)
    return _beginning(tokenizer, text, count)["input_ids"][:count]


def ends(tokenizer: Any, text: str, count: int) -> list[int]:
    """Where in the text each of its first `count` tokens ends, in characters; its last token ends with the text."""
    read = _beginning(tokenizer, text, count)
    found = [end for _, end in read.encodings[0].offsets]
    return found[:count] if len(found) > count else [*found[:-1], len(text)]


def _beginning(tokenizer: Any, text: str, count: int) -> Any:
    """The tokens of a part of the text that is sure to begin with the text's first `count` tokens.

    To read a whole book for its first page would take long. But a cut may change the last tokens before it, so the part
    must hold more than twice as many tokens as are asked for: those of the first half are far from the cut.
    """
    characters = CHARACTERS * count
    while characters < len(text):
        read = _encoded(tokenizer, text[:characters])
        if len(read["input_ids"]) > 2 * count:
            return read
        characters *= 2
    return _encoded(tokenizer, text)


def _encoded(tokenizer: Any, text: str, *, special: bool = False) -> Any:
    try:
        return tokenizer(text, add_special_tokens=special, split_special_tokens=False, verbose=False)
    except Exception as error:  # the package tokenizers raises nothing else
        expected = "expected one with a token for what it does not know; set model.tokenizer=<folder>"
        raise UsageError(f"the tokenizer cannot write a text ({shortened(error)}): {expected}") from error


def decode(tokenizer: Any, ids: Sequence[int], *, special: bool = True) -> str:
    """Tokens as text, with or without special tokens; spaces before punctuation stay."""
    return tokenizer.decode(ids, skip_special_tokens=not special, clean_up_tokenization_spaces=False)


def bos(tokenizer: Any) -> int | None:
    """The token that the tokenizer itself puts in front of text, if any: LLaMA's does, SmolLM2's does not."""
    ids = _encoded(tokenizer, "a", special=True)["input_ids"]
    return int(ids[0]) if ids and ids[0] == tokenizer.bos_token_id else None


def end(tokenizer: Any) -> list[int]:
    """EOS, which ends a document; empty if the tokenizer has none, so that the next document follows at once."""
    return [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]


def tokenizer_sha256(tokenizer: Any) -> str:
    """Fingerprint of everything that decides how text becomes ids."""
    marks = f"{tokenizer.bos_token_id} {tokenizer.eos_token_id} "
    return hashlib.sha256((marks + tokenizer.backend_tokenizer.to_str()).encode()).hexdigest()
