"""Text to token ids: what a tokenizer writes, what it puts in front, and its fingerprint."""

import hashlib
from collections.abc import Sequence
from typing import Any

from position_interpolation.settings.errors import UsageError, shortened


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text without special tokens in front or behind; one that is spelt out in it is that token."""
    return _ids(tokenizer, text, special=False)


def _ids(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    try:
        found = tokenizer(text, add_special_tokens=special, split_special_tokens=False, verbose=False)
    except Exception as error:  # the package tokenizers raises nothing else
        raise UsageError(
            f"the tokenizer cannot write a text ({shortened(error)}): expected one that has a token for whatever it "
            "does not know; set model.tokenizer=<folder>"
        ) from error
    ids: list[int] = found["input_ids"]
    return ids


def decode(tokenizer: Any, ids: Sequence[int], *, special: bool = True) -> str:
    """Tokens as text, with or without special tokens; spaces before punctuation stay."""
    text: str = tokenizer.decode(ids, skip_special_tokens=not special, clean_up_tokenization_spaces=False)
    return text


def bos(tokenizer: Any) -> int | None:
    """The token that the tokenizer itself puts in front of text, if it does: LLaMA's does, SmolLM2's does not."""
    ids = _ids(tokenizer, "a", special=True)
    return int(ids[0]) if ids and ids[0] == tokenizer.bos_token_id else None


def end(tokenizer: Any) -> list[int]:
    """EOS, which ends a document; nothing where the tokenizer has none, and the next document follows at once."""
    return [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]


def tokenizer_sha256(tokenizer: Any) -> str:
    """Fingerprint of everything that decides how text becomes ids."""
    marks = f"{tokenizer.bos_token_id} {tokenizer.eos_token_id} "
    return hashlib.sha256((marks + tokenizer.backend_tokenizer.to_str()).encode()).hexdigest()
