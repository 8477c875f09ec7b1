"""A whole run gives the perplexities and the passkeys of plain transformers: one window, all logits, float32.

The short base has SmolLM2's architecture (grouped queries, tied embeddings, base 100000) at a window of 64. The same
test on the real weights takes many minutes and much memory: `pytest -m real tests/test_agreement.py`.
"""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence.records import Record, read
from position_interpolation.models import export, extending, wheel
from position_interpolation.settings.schema import Method
from position_interpolation.tasks.passkey import prompts
from position_interpolation.text.embedded import king_james

DOCUMENTS = ["kjv-02", "kjv-13", "kjv-23"]  # the first 2 L tokens of each are one window past L
KEYS = 3  # asked for, each at a distance of its own
Answers = dict[int, list[float]]  # by distance: whether the key is found, and its log-likelihood a digit


@pytest.fixture
def short_base(tmp_path: Path, random_base: Any, sharpened: Any, tokenizer: Any) -> Path:
    """A short model of SmolLM2's architecture, saved as any model of the hub is."""
    shape = {"hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 2}
    model = random_base(**shape, rope_theta=100_000.0, tie_word_embeddings=True)
    place = tmp_path / "base"
    export.export(sharpened(extending.build(model, tmp_path, Method("none"), 1.0, 0)), tokenizer, place, "float32")
    return place


def recorded(place: Path, window: int, method: str, folder: Path, *task: str) -> list[Record]:
    """The records of a run on a base whose window is L = `window`."""
    launch.register()
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    asked = [
        "model=tiny", "model.source=path", "model.name=base", f"model.window={window}", f"model.location={place}",
        f"method={method}", "context=x2", "train=untuned", "data=embedded", "compute.dtype=float32", "wandb=disabled",
        *task, *places,
    ]  # fmt: skip
    run(launch.typed(launch.composed(asked)))
    return read(folder / "results" / "single" / "tiny" / "rows.jsonl")


def ours(place: Path, window: int, method: str, folder: Path) -> dict[str, float]:
    """Perplexity of each document in a window of 2 L."""
    task = [
        "task=pg19", f"task.ids={DOCUMENTS}".replace(" ", ""), "task.bos=false", "task.window_factors=[2]",
        "task.truncate_factor=2", "task.minimum_factor=2",
    ]  # fmt: skip
    rows = recorded(place, window, method, folder, *task)
    return {row.data["ids"][0]: math.exp(row.value) for row in rows if row.metric == "document_loss"}


def our_keys(place: Path, window: int, method: str, folder: Path, length: int) -> Answers:
    """Passkeys in prompts that fill `length` tokens."""
    task = ["task=passkey", f"task.window={length}", f"task.distances={KEYS}", "task.trials=1"]
    rows, found = recorded(place, window, method, folder, *task), Answers()
    for metric in ("success", "key_log_likelihood"):
        for row in rows:
            if row.metric == metric and row.at is not None:
                found.setdefault(row.at, []).append(row.value)
    return found


def transformers_own(place: Path, method: str) -> Any:
    """The model with transformers' own attention and rope scaling."""
    config = AutoConfig.from_pretrained(place)
    if method == "pi":
        config.rope_parameters = {**config.rope_parameters, "rope_type": "linear", "factor": 2.0}
    model = AutoModelForCausalLM.from_pretrained(place, config=config, dtype=torch.float32, attn_implementation="sdpa")
    return model.eval()


@torch.inference_mode()
def plain(place: Path, length: int, method: str) -> dict[str, float]:
    """Perplexity of each document from transformers alone."""
    model = transformers_own(place, method)
    tokenizer, texts, found = AutoTokenizer.from_pretrained(place), dict(king_james()), {}
    for name in DOCUMENTS:
        ids = tokenizer(texts[name], add_special_tokens=False, return_tensors="pt").input_ids[:, :length]
        logits = model(ids, use_cache=False).logits[0, :-1]
        found[name] = math.exp(cross_entropy(logits, ids[0, 1:]).item())
    return found


@torch.inference_mode()
def plain_keys(place: Path, length: int, method: str) -> Answers:
    """Passkeys from transformers alone: a key is found if each of its digits is the likeliest token."""
    model, found = transformers_own(place, method), Answers()
    for probe in prompts.probes(AutoTokenizer.from_pretrained(place), length, KEYS, trials=1, digits=5, seed=0):
        answer = torch.tensor(probe.answer)
        logits = model(torch.tensor([[*probe.prompt, *probe.answer]]), use_cache=False).logits[0, -len(answer) - 1 : -1]
        likelihood = -cross_entropy(logits, answer).item()
        found[probe.label] = [float(torch.equal(logits.argmax(-1), answer)), likelihood]
    return found


def agree(place: Path, window: int, method: str, folder: Path) -> None:
    assert ours(place, window, method, folder) == pytest.approx(plain(place, 2 * window, method), rel=1e-3)


@pytest.mark.parametrize("method", ["none", "pi"])
def test_a_short_base(method: str, short_base: Path, tmp_path: Path) -> None:
    agree(short_base, 64, method, tmp_path)


def keys_agree(place: Path, window: int, method: str, folder: Path, length: int) -> None:
    found, expected = our_keys(place, window, method, folder, length), plain_keys(place, length, method)
    assert len(found) == KEYS
    assert {at: pytest.approx(numbers, abs=2e-3) for at, numbers in expected.items()} == found


@pytest.mark.parametrize("method", ["none", "pi"])
def test_passkeys_of_a_short_base(method: str, short_base: Path, tmp_path: Path) -> None:
    keys_agree(short_base, 64, method, tmp_path, 126)


@pytest.mark.real
@pytest.mark.parametrize(("method", "length"), [("none", 8190), ("pi", 10239)])
def test_passkeys_of_smollm2(method: str, length: int, tmp_path: Path) -> None:
    """Inside L, where the base finds most keys, and past it."""
    keys_agree(wheel.smollm2_folder(tmp_path / "cache"), 8192, method, tmp_path, length)


@pytest.mark.real
@pytest.mark.parametrize("method", ["none", "pi"])
def test_smollm2(method: str, tmp_path: Path) -> None:
    agree(wheel.smollm2_folder(tmp_path / "cache"), 8192, method, tmp_path)
