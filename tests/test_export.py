"""task=export: a folder that others read, with positions, provenance and weights as they were evaluated."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.models import export
from position_interpolation.models.rope import inverse_frequencies


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    launch.register()
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    asked = [
        "model=smoke", "method=pi", "context=x4", "train.steps=2", "train.batch_size=2", "data.source=made_up",
        "task=export", f"task.folder={tmp_path / 'out'}", "task.dtype=float32", "wandb=disabled", *places,
    ]  # fmt: skip
    run(launch.typed(launch.composed(asked)))
    return tmp_path / "out"


def test_positions_are_there_for_readers_old_and_new(exported: Path) -> None:
    config = json.loads((exported / "config.json").read_text())
    assert config["max_position_embeddings"] == 256
    assert config["rope_parameters"] == {"rope_type": "linear", "factor": 4.0, "rope_theta": 40.0}
    assert config["rope_theta"] == 40.0
    assert config["rope_scaling"] == {"rope_type": "linear", "type": "linear", "factor": 4.0}
    model = AutoModelForCausalLM.from_pretrained(exported)
    expected = torch.from_numpy(inverse_frequencies(16, 40.0, 4.0)).float()
    assert torch.allclose(model.model.rotary_emb.inv_freq, expected, rtol=1e-6)


def test_the_card_says_what_made_it(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    assert "smoke (window 64) read up to 256 tokens by the method `pi` of *Extending Context Window" in card
    assert "2 steps of 2 sequences, AdamW 0.9 / 0.95" in card
    assert "books 0.6" in card
    assert "signature of the extension: `" in card


def test_readers_are_told_where_the_window_ends(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By tokenizer and generation settings, where the base's say its own L, and by the card, for vLLM multiplies L'."""
    short = tmp_path / "short"
    shutil.copytree(exported, short)
    written = json.loads((short / "tokenizer_config.json").read_text())
    (short / "tokenizer_config.json").write_text(json.dumps({**written, "model_max_length": 100}))
    config = json.loads((short / "config.json").read_text()) | {"max_position_embeddings": 100, "rope_scaling": None}
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 40.0}
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_of_the_base.Model"}
    (short / "config.json").write_text(json.dumps(config))
    (short / "generation_config.json").write_text('{"max_length": 100, "top_p": 0.9}')
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    asked = ["model=path", f"model.location={short}", "method=pi", "context=x2", "train=untuned", "task=export"]
    run(launch.typed(launch.composed([*asked, f"task.folder={tmp_path / 'long'}", "wandb=disabled", *places])))
    assert AutoTokenizer.from_pretrained(tmp_path / "long").model_max_length == 200
    assert "auto_map" not in json.loads((tmp_path / "long" / "config.json").read_text())
    assert json.loads((tmp_path / "long" / "generation_config.json").read_text()) == {"max_length": 200, "top_p": 0.9}
    assert "--max-model-len 200" in (tmp_path / "long" / "README.md").read_text()
    assert f"Exported short, pi x2, untuned: {tmp_path / 'long'}, float16, window 200" in capsys.readouterr().out


def test_weights_are_rounded_once_whatever_they_are_measured_in(tmp_path: Path) -> None:
    launch.register()
    asked = [
        "model=smoke",
        "method=pi",
        "context=x2",
        "train=untuned",
        "task=export",
        f"task.folder={tmp_path / 'out'}",
    ]
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    run(launch.typed(launch.composed([*asked, *places, "compute.dtype=bfloat16", "wandb=disabled"])))
    weights = load_file(tmp_path / "out" / "model.safetensors").values()
    assert {weight.dtype for weight in weights} == {torch.float16}
    assert any(not torch.equal(weight, weight.bfloat16().half()) for weight in weights), "float16 keeps more digits"


def test_a_tuning_that_nobody_ran_before_is_announced(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    common = ["model=smoke", "method=pi", "context=x4", "train.batch_size=2", "data.source=made_up", "wandb=disabled"]
    for steps, announced in ((2, False), (3, True)):  # the fixture tuned two
        asked = [*common, *places, f"train.steps={steps}", "task=export", f"task.folder={exported}"]
        run(launch.typed(launch.composed(asked)))
        told = capsys.readouterr()
        assert ("so it is tuned first" in told.err) == announced
        assert f"smoke, pi x4, {steps} steps on books 0.6" in told.out


def test_it_is_a_base_like_any_other(exported: Path, tmp_path: Path) -> None:
    """And its positions are not scaled twice."""
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    asked = [
        "model=tiny",
        "model.source=path",
        f"model.location={exported}",
        "model.window=256",
        "method=pi",
        "context=x2",
        "task=pg19",
    ]
    config = launch.typed(launch.composed([*asked, "train=untuned", "wandb=disabled", *places]))
    with pytest.raises(launch.UsageError, match="already scaled"):
        run(config)


def test_an_earlier_export_may_be_written_again_but_never_the_base(exported: Path) -> None:
    base = [
        "model=tiny",
        "model.source=path",
        f"model.location={exported}",
        "model.window=256",
        "method=none",
        "task=export",
    ]
    launch.checked(["model=smoke", "task=export", f"task.folder={exported}"])
    with pytest.raises(launch.UsageError, match="is the base's own folder"):
        launch.checked([*base, f"task.folder={exported}"])
    (exported / "README.md").write_text("mine")
    with pytest.raises(launch.UsageError, match="holds other files"):
        launch.checked(["model=smoke", "task=export", f"task.folder={exported}"])


def test_a_head_of_its_own_is_told_to_readers_that_would_tie_it(exported: Path, tmp_path: Path) -> None:
    config = json.loads((exported / "config.json").read_text())
    (exported / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    model = AutoModelForCausalLM.from_pretrained(exported)  # which sees that the head is another
    export.export(model, AutoTokenizer.from_pretrained(exported), tmp_path / "again", "float32")
    assert json.loads((tmp_path / "again" / "config.json").read_text())["tie_word_embeddings"] is False
    assert torch.equal(load_file(tmp_path / "again" / "model.safetensors")["lm_head.weight"], model.lm_head.weight)
