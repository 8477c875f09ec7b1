"""Tokenizers that real checkpoints have: without the usual tokens, with more than the model embeds, or unreadable."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel
from tokenizers.normalizers import NFC
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from position_interpolation.models import loading, tokenizing
from position_interpolation.models.loading import ASSETS
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Model
from position_interpolation.text import packing
from position_interpolation.text.corpora import Document, Documents
from position_interpolation.text.encoding import bos, encode, end
from position_interpolation.text.prompts import split
from position_interpolation.text.recall import RecallWindows


@pytest.fixture
def digits() -> Any:
    """A tokenizer of digits: no BOS, no EOS, and nothing for what is none."""
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(BPE({str(digit): digit for digit in range(10)}, [])))


def copied(folder: Path) -> Path:
    shutil.copytree(ASSETS / "tiny", folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def model(folder: Path) -> Model:
    return Model(name="own", rung="own", window=256, source="path", location=str(folder))


# Without EOS, or BOS


def test_without_eos_documents_follow_each_other_at_once(digits: Any, tmp_path: Path) -> None:
    texts = Documents("texts", "own", (Document("a", "1984"), Document("b", "42")))
    assert packing.stream(texts, digits, tmp_path).tolist() == [1, 9, 8, 4, 4, 2]
    assert (bos(digits), end(digits)) == (None, [])


def test_a_text_that_a_tokenizer_has_no_tokens_for_is_refused() -> None:
    words = Tokenizer(WordLevel({"river": 0}, unk_token=None))
    with pytest.raises(UsageError, match=r"cannot write a text .*Missing \[UNK\]"):
        encode(PreTrainedTokenizerFast(tokenizer_object=words), "stone")


def test_keys_that_a_tokenizer_writes_alike_are_refused() -> None:
    words = Tokenizer(WordLevel({"<unk>": 0, "The": 1, "1": 2}, unk_token="<unk>"))
    with pytest.raises(UsageError, match="different numbers with the same tokens: expected one that knows every digit"):
        split(PreTrainedTokenizerFast(tokenizer_object=words), "The key is ", "12345")


def test_recall_windows_without_eos_are_full(tokenizer: Any) -> None:
    """To the token, as those with it, and of the same statements."""
    bare = loading.tokenizer(Model(name="t", rung="t", window=256, source="packaged", location="tiny"), Path("unused"))
    bare.eos_token = None
    prose = np.asarray(encode(tokenizer, "The river runs over the stone. " * 200), np.uint32)
    windows = RecallWindows(0, prose, bare, 96)
    assert {len(windows[number]) for number in range(30)} == {96}
    assert tokenizer.eos_token_id not in np.concatenate([windows[number] for number in range(30)])


# What tokenizer.json says


@pytest.mark.parametrize("kind", ["qwen2", "qwen3", "llama"])
@pytest.mark.parametrize("named", [None, "PreTrainedTokenizerFast", "LlamaTokenizerFast", "Qwen2TokenizerFast"])
def test_text_is_split_as_the_file_says_whatever_the_model_is_called(
    kind: str, named: str | None, tmp_path: Path
) -> None:
    """transformers takes a pre-tokenizer of its own for some: Qwen2's cuts several line breaks otherwise."""
    text = "In 1984 he didn't  pay $12,345.67:\n\n\tnothing. The end\n\n\nof it"
    folder = copied(tmp_path / "own")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("tokenizer_class", None)
    stated = config if named is None else {**config, "tokenizer_class": named}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    plain = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert encode(tokenizing.read(folder), text) == plain


@pytest.mark.parametrize("named", ["PreTrainedTokenizerFast", "Qwen2Tokenizer"])
def test_a_file_without_a_normalizer_has_none(named: str, tmp_path: Path) -> None:
    """transformers composes accents for Qwen2 whatever the file says."""
    text = "cafe\u0301"
    folder = copied(tmp_path / "own")
    for name, changed in {
        "tokenizer.json": {"normalizer": None},
        "tokenizer_config.json": {"tokenizer_class": named},
    }.items():
        (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **changed}))
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert encode(tokenizing.read(folder), text) == plain.encode(text, add_special_tokens=False).ids
    plain.normalizer = NFC()
    assert encode(tokenizing.read(folder), text) != plain.encode(text, add_special_tokens=False).ids


def test_no_merge_is_left_out_by_chance(tmp_path: Path) -> None:
    folder = copied(tmp_path / "own")
    state = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**state, "model": {**state["model"], "dropout": 0.5}}))
    text = "The river runs over the stone. " * 20
    assert encode(tokenizing.read(folder), text) == encode(tokenizing.read(ASSETS / "tiny"), text)


def test_a_saved_tokenizer_is_read_by_others_as_by_us(tmp_path: Path) -> None:
    """Here the class puts a space before a text, which tokenizer.json does not."""
    folder = copied(tmp_path / "own")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ours = tokenizing.read(folder)
    (tmp_path / "saved").mkdir()
    tokenizing.save(ours, tmp_path / "saved")
    text = "river stone"
    theirs = AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False).input_ids
    again = AutoTokenizer.from_pretrained(tmp_path / "saved")(text, add_special_tokens=False).input_ids
    assert encode(ours, text) == again != theirs


# Added tokens past the embeddings


@pytest.mark.parametrize("special", [True, False], ids=["special", "plain"])
def test_an_added_token_without_an_embedding_is_text_like_any_other(special: bool, tmp_path: Path) -> None:
    text = "He saw <image> on the wall."
    folder = copied(tmp_path / "own")
    before = encode(loading.tokenizer(model(folder), tmp_path), text)
    added = tokenizing.read(folder)
    added.add_tokens(["<image>"], special_tokens=special)
    added.save_pretrained(folder)
    assert max(encode(tokenizing.read(folder), text)) == 4096, "which no embedding of the model is for"
    found = loading.tokenizer(model(folder), tmp_path)
    assert encode(found, text) == before
    assert found.decode(before) == text


def test_what_has_no_embedding_does_not_come_back_where_it_is_saved(tmp_path: Path) -> None:
    """As Alpaca's checkpoints have it: padding was added, and the embeddings were not."""
    folder = copied(tmp_path / "own")
    added = tokenizing.read(folder)
    added.add_special_tokens({"pad_token": "[PAD]", "additional_special_tokens": ["river"]})
    added.save_pretrained(folder)
    loading.tokenizer(model(folder), tmp_path).save_pretrained(tmp_path / "saved")
    saved = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert max(saved("[PAD] in the river").input_ids) < 4096
    assert (saved.pad_token, saved.bos_token) == (None, "<s>")


def test_added_tokens_that_the_model_embeds_stay(tmp_path: Path, random_base: Callable[..., Model]) -> None:
    folder = tmp_path / "tokenizer"
    shutil.copytree(ASSETS / "tiny", folder)
    added = tokenizing.read(folder)
    added.add_tokens(["<image>", "<sound>"])
    added.save_pretrained(folder)
    base = random_base(vocab_size=4097)
    base.tokenizer = str(folder)
    found = loading.tokenizer(base, tmp_path)
    assert encode(found, "<image>") == [4096]
    assert len(encode(found, "<sound>")) > 1


def test_a_beginning_without_an_embedding_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path / "own")
    added = tokenizing.read(folder)
    added.add_special_tokens({"bos_token": "<begin>"})
    added.save_pretrained(folder)
    with pytest.raises(UsageError, match="4097 tokens, the model 4096 embeddings"):
        loading.tokenizer(model(folder), tmp_path)


# What cannot be read


def test_a_checkpoint_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    folder = copied(tmp_path / "own")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(UsageError, match=r"no tokenizer in .*own: set model\.tokenizer="):
        loading.tokenizer(model(folder), tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.model", "spiece.model"])
def test_the_packages_that_would_convert_it_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"a sentencepiece model, in other machines' eyes")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}')
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sentencepiece" else find(name))
    with pytest.raises(UsageError, match=r"(cannot be read|has no vocab).*run pip install sentencepiece") as told:
        tokenizing.read(tmp_path)
    assert "\n" not in str(told.value)


def test_one_without_a_fast_backend_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    with pytest.raises(UsageError, match="ByT5Tokenizer, has no backend of the package tokenizers"):
        tokenizing.read(tmp_path)


@pytest.mark.parametrize("kind", ["awq", "fp8", "bitsandbytes", None])
def test_quantised_weights_are_refused_by_their_kind(kind: str | None, tmp_path: Path) -> None:
    folder = copied(tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": kind, "bits": 4} if kind else {"bits": 4}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match=rf"quantised \({kind or 'quantization_config'}\): expected plain ones"):
        loading.base_config(model(folder), tmp_path)
