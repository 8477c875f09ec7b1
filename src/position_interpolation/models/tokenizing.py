"""The tokenizer of a checkpoint, restricted to tokens that its model can embed."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from position_interpolation.settings.errors import UsageError, shortened

FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tokenizer_config.json")
# Packages with which transformers makes a fast tokenizer, if the folder has none.
CONVERTERS = ("sentencepiece", "tiktoken", "protobuf")
MODULES = {"protobuf": "google.protobuf"}
SPLITTERS = ("normalizer", "pre_tokenizer")  # what in tokenizer.json decides how text is split
PLAIN = "TokenizersBackend"  # the class that takes them as they are; in transformers 4 PreTrainedTokenizerFast


def read(place: Path) -> Any:
    """The tokenizer of a folder.

    Raises:
        UsageError: there is none that can be read with the packages installed.
    """
    if not any((place / name).is_file() for name in FILES):
        raise UsageError(f"no tokenizer in {place}: set model.tokenizer=<a folder with tokenizer.json>")
    try:
        found = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except Exception as error:  # of damaged files the backends raise what they like
        raise UsageError(f"the tokenizer in {place} cannot be read ({shortened(error)}): {_way_out(place)}") from error
    if not found.is_fast:
        fault = f"{type(found).__name__}, has no backend of the package tokenizers"
        raise UsageError(f"the tokenizer in {place}, {fault}: set model.tokenizer=<folder with tokenizer.json>")
    if found.vocab_size <= len(found.all_special_ids):  # transformers makes one even from the configuration alone
        raise UsageError(f"the tokenizer in {place} has no vocabulary: {_way_out(place)}")
    _as_the_file_says(found, place / "tokenizer.json")
    found.backend_tokenizer.no_truncation()  # only we cut text, whatever the folder's settings say
    found.backend_tokenizer.no_padding()
    return found


def _as_the_file_says(tokenizer: Any, path: Path) -> None:
    """Split text as tokenizer.json does, and always alike.

    For some model types transformers has a normalizer or pre-tokenizer of its own in place of the file's, or of none.
    Dropout of merges is meant for training, and would give each run another text.
    """
    backend = tokenizer.backend_tokenizer
    if path.is_file():
        for name in SPLITTERS:
            stated = getattr(Tokenizer.from_file(str(path)), name)
            if _state(stated) != _state(getattr(backend, name)):
                setattr(backend, name, stated)
    if getattr(backend.model, "dropout", None):
        backend.model.dropout = None


def _state(splitter: Any) -> bytes | None:
    return None if splitter is None else bytes(splitter.__getstate__())


def _way_out(place: Path) -> str:
    missing = [name for name in CONVERTERS if importlib.util.find_spec(MODULES.get(name, name)) is None]
    if (place / "tokenizer.json").is_file() or not missing:
        return "expected tokenizer.json and tokenizer_config.json; set model.tokenizer=<folder>"
    return f"to make a tokenizer.json, run pip install {' '.join(missing)}; or set model.tokenizer=<folder>"


def embedded(tokenizer: Any, embeddings: int) -> Any:
    """The tokenizer without added tokens for which the model has no embedding: it reads them as plain text.

    Llama checkpoints get such tokens from programs that add padding, and their names may stand in a text.

    Raises:
        UsageError: the model cannot embed the vocabulary itself, or the tokens that begin and end texts.
    """
    special = [token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id) if token is not None]
    needed = max(tokenizer.vocab_size, *(token + 1 for token in special), 0)
    if needed > embeddings:
        sizes = f"{needed} tokens, the model {embeddings} embeddings"
        raise UsageError(f"the tokenizer has {sizes}: correct model.tokenizer or model.architecture.vocab_size")
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    known = [token for token in state["added_tokens"] if token["id"] < embeddings]
    strange = {token["content"] for token in state["added_tokens"]} - {token["content"] for token in known}
    if strange:
        tokenizer._tokenizer = Tokenizer.from_str(json.dumps({**state, "added_tokens": known}))
        for name, token in tokenizer.special_tokens_map.items():  # else they come back where it is saved and read
            if token in strange:
                setattr(tokenizer, name, None)
        tokenizer.extra_special_tokens = [token for token in tokenizer.extra_special_tokens if token not in strange]
        tokenizer.init_kwargs.pop("added_tokens_decoder", None)
    return tokenizer


def save(tokenizer: Any, place: Path) -> None:
    """Write a tokenizer so that plain transformers reads text as we do.

    Where the class that it names would split text in another way, it names the one that takes tokenizer.json as it is.
    (transformers does not heed that for model types that have a class of their own, such as qwen2.)
    """
    tokenizer.save_pretrained(place)
    found = AutoTokenizer.from_pretrained(place, trust_remote_code=False).backend_tokenizer
    ours = tokenizer.backend_tokenizer
    if any(_state(getattr(found, name)) != _state(getattr(ours, name)) for name in SPLITTERS):
        path = place / "tokenizer_config.json"
        stated = {**json.loads(path.read_text()), "tokenizer_class": PLAIN}
        stated.pop("add_prefix_space", None)
        path.write_text(json.dumps(stated, indent=2, ensure_ascii=False) + "\n")
