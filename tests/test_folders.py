"""What a base's folder brings beside its weights: it is set by us, or it changes the name of a number."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from position_interpolation.models import answers, extending, loading
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Method, Model
from position_interpolation.tasks.govreport import summaries
from position_interpolation.tasks.passkey import prompts
from position_interpolation.text.encoding import decode, encode, tokenizer_sha256

TEXT = "And the king said unto his servants , </s> we don 't go ."


def base(folder: Path) -> Model:
    return Model(name="own", rung="tiny", source="path", location=str(folder), window=256)


def copied(folder: Path, **files: dict[str, Any]) -> Path:
    """The packaged base in a folder of its own, with more in some of its JSON files."""
    shutil.copytree(loading.ASSETS / "tiny", folder)
    for name, more in files.items():
        place = folder / f"{name}.json"
        place.write_text(json.dumps({**json.loads(place.read_text()), **more}))
    return folder


def written(folder: Path, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
    """What the base writes behind passkey prompts, and as a summary, drawn."""
    model, tokenizer = loading.load(folder, loading.base_config(base(folder), folder), dtype), tokenizer_of(folder)
    trials = prompts.probes(tokenizer, 256, count=2, trials=2, digits=5, seed=0)
    sampling = summaries.Sampling(temperature=0.5, top_p=0.95, most=12, seed=0)
    report = summaries.prompt(tokenizer, "And the king said unto his servants, " * 9, 120)
    drawn = summaries.write(model, report, int(tokenizer.eos_token_id), sampling, "report")
    return answers.write(model, trials, 8, 1024), drawn


def tokenizer_of(folder: Path) -> Any:
    return loading.tokenizer(base(folder), folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    return written(copied(tmp_path_factory.mktemp("plain") / "base"))


@pytest.mark.parametrize(
    "authors",
    [
        {"no_repeat_ngram_size": 2, "bad_words_ids": [[30], [31]]},
        {"suppress_tokens": list(range(15, 40)), "begin_suppress_tokens": [223]},
        {"eos_token_id": list(range(3, 2000)), "min_new_tokens": 6},
        {"do_sample": True, "num_beams": 3, "temperature": 1.8, "min_p": 0.2, "typical_p": 0.4},
        {"stop_strings": ["1", "e"], "max_time": 1e-6},
        {"cache_implementation": "static", "use_cache": False, "return_dict_in_generate": True, "output_scores": True},
        {"temperature": 0.9, "top_p": 0.6, "transformers_version": "4.31.0"},  # without do_sample
    ],
    ids=lambda authors: next(iter(authors)),
)
def test_no_base_has_a_say_in_how_it_writes(authors: dict[str, Any], plain: tuple[Any, ...], tmp_path: Path) -> None:
    assert written(copied(tmp_path / "base", generation_config=authors)) == plain


def test_old_models_keep_such_settings_in_their_configuration(plain: tuple[Any, ...], tmp_path: Path) -> None:
    folder = copied(tmp_path / "base", config={"repetition_penalty": 3.0, "min_length": 50, "return_dict": False})
    (folder / "generation_config.json").unlink()
    assert written(folder) == plain


def test_a_tokenizer_is_asked_for_text_and_tokens_in_our_way(tmp_path: Path) -> None:
    """Text is cut and padded by us, a special token spelt out in it is one, and decoding moves no spaces."""
    usual = tokenizer_of(copied(tmp_path / "usual"))
    folder = copied(
        tmp_path / "odd",
        tokenizer_config={"clean_up_tokenization_spaces": True, "split_special_tokens": True, "model_max_length": 4},
        tokenizer={
            "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
            "padding": {
                "strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 2,
                "pad_type_id": 0, "pad_token": "<pad>",
            },
        },
    )  # fmt: skip
    odd = tokenizer_of(folder)
    assert tokenizer_sha256(odd) == tokenizer_sha256(usual)  # before the first call as behind it
    assert encode(odd, TEXT) == encode(usual, TEXT)
    assert usual.eos_token_id in encode(odd, TEXT)
    assert decode(odd, encode(odd, TEXT)) == TEXT
    assert tokenizer_sha256(odd) == tokenizer_sha256(usual)


def test_a_forward_returns_what_we_ask_for(tmp_path: Path) -> None:
    odd = copied(tmp_path / "base", config={"return_dict": False, "output_hidden_states": True})
    config = loading.base_config(base(odd), odd)
    found = loading.load(odd, config).model(input_ids=torch.tensor([[5, 6]]))
    assert found.last_hidden_state.shape == (1, 2, config.hidden_size)
    assert found.hidden_states is None
    usual = extending.architecture_sha256(base(copied(tmp_path / "usual")), odd, Method("pi"), 2.0)
    assert extending.architecture_sha256(base(odd), odd, Method("pi"), 2.0) == usual


def test_an_adapter_beside_a_model_is_never_half_applied(tmp_path: Path) -> None:
    folder = copied(tmp_path / "base")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(UsageError, match=r"holds an adapter beside its model.*merge it into the weights"):
        loading.base_config(base(folder), folder)
