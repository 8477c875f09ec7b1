"""Damage is noticed: what was written is read back as it was, or made again, or refused; never taken for numbers."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_again import values

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence import records
from position_interpolation.machine import files
from position_interpolation.models import loading
from position_interpolation.settings.errors import UsageError
from position_interpolation.text.corpora import Document, Documents
from position_interpolation.text.packing import stream
from position_interpolation.tuning import checkpoints


def flipped(path: Path) -> None:
    """One bit, in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def zeroed(path: Path) -> None:
    """Every number is another, in a file that reads as well as before."""
    if path.suffix == ".npy":
        np.save(path, np.zeros_like(np.load(path)))
    else:
        with np.load(path) as saved:
            np.savez(path, **{name: np.zeros_like(saved[name]) for name in saved})


def beheaded(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").unlink()


def scrawled(path: Path) -> None:
    """The fingerprint is no text."""
    path.with_name(f"{path.name}.sha256").write_bytes(b"\xff\xfe\xfa")


@pytest.mark.parametrize("damage", [flipped, zeroed, beheaded, scrawled])
def test_tokens_whose_bytes_changed_are_made_again(damage: Any, tokenizer: Any, tmp_path: Path) -> None:
    documents = Documents("own", "local", (Document("1", "And the earth was without form, and void. " * 9),))
    true = stream(documents, tokenizer, tmp_path).tolist()
    (path,) = tmp_path.rglob("*.npy")
    damage(path)
    assert stream(documents, tokenizer, tmp_path).tolist() == true


def others(path: Path) -> None:
    """Losses of another document, with a fingerprint that agrees."""
    files.write_hashed(path, partial(np.savez, losses=np.ones(3, np.float32), counts=np.array([3])), ".npz")


def no_losses(path: Path) -> None:
    """Text, with a fingerprint that agrees."""
    files.write_hashed(path, lambda place: place.write_text("nothing"))


@pytest.mark.parametrize("damage", [flipped, zeroed, beheaded, others, no_losses])
def test_losses_whose_bytes_changed_are_computed_again(damage: Any, tmp_path: Path) -> None:
    true = values(tmp_path)
    for path in (tmp_path / "runs" / "losses").rglob("*.npz"):
        damage(path)
    shutil.rmtree(tmp_path / "runs" / "records")
    assert values(tmp_path) == true


def test_nothing_is_moved_before_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(files.os, "fsync", lambda stream: done.append("synced"))
    moved = files.os.replace
    monkeypatch.setattr(files.os, "replace", lambda old, new: (done.append("moved"), moved(old, new)))
    files.write_hashed(tmp_path / "kept", lambda place: place.write_text("all"))
    assert done == ["synced", "moved"] * 2
    assert files.intact(tmp_path / "kept")


# Weights


def with_weight(folder: Path, value: float) -> Path:
    """The packaged base with one weight changed, of a token that no text has."""
    shutil.copytree(loading.ASSETS / "tiny", folder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "embed" in name)
    weights[name] = weights[name].float()
    weights[name][2, 0] = value  # of <pad>
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("task", ["passkey_short", "export"])
def test_weights_that_are_no_numbers_are_refused_before_anything_is_made_of_them(
    value: float, task: str, tmp_path: Path
) -> None:
    asked = ["train=untuned"] if task == "passkey_short" else ["train=untuned", f"task.folder={tmp_path / 'out'}"]
    with pytest.raises(UsageError, match=r"has weights that are NaN or infinite \(model.embed_tokens.weight\)"):
        carried_out(with_weight(tmp_path / "base", value), tmp_path, f"task={task}", *asked)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_weights_that_need_scales_are_refused(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = with_weight(tmp_path / "base", 0.0)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "down_proj" in name)
    save_file({**weights, name: weights[name].to(dtype)}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=rf"holds {name} as \w*8\w*: expected weights of F64, F32, F16, BF16"):
        loading.load(folder)


def test_weights_too_large_for_the_precision_of_an_export_are_refused(tmp_path: Path) -> None:
    large = with_weight(tmp_path / "base", 1e5)
    asked = ["task=export", "train=untuned", f"task.folder={tmp_path / 'out'}"]
    with pytest.raises(UsageError, match=r"the extension in float16 would have .* choose another task.dtype"):
        carried_out(large, tmp_path, *asked, "task.dtype=float16")
    assert not (tmp_path / "out").exists()
    carried_out(large, tmp_path, *asked, "task.dtype=bfloat16")
    written = loading.load(tmp_path / "out").get_input_embeddings().weight
    assert written[2, 0].item() == pytest.approx(1e5, rel=0.01)


def carried_out(base: Path, folder: Path, *overrides: str) -> None:
    launch.register()
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    usual = ["model=tiny", "model.source=path", f"model.location={base}", "method=pi", "context=x2", "wandb=disabled"]
    run(launch.typed(launch.composed([*usual, *overrides, *places])))


# A training


@pytest.mark.parametrize("sha256", [None, ["a"], {"lost.safetensors": "0"}], ids=str)
def test_a_checkpoint_whose_mark_is_damaged_is_no_whole_one(sha256: Any, tmp_path: Path) -> None:
    place = checkpoints.at(tmp_path, 2)
    place.mkdir()
    (place / "weights").write_bytes(b"0")
    checkpoints.mark(place, kept=False)
    assert checkpoints.newest(tmp_path, 2) == place
    mark = json.loads((place / checkpoints.DONE).read_text())
    (place / checkpoints.DONE).write_text(json.dumps({**mark, "sha256": sha256}))
    assert checkpoints.newest(tmp_path, 2) is None


@pytest.mark.parametrize("lost", ["trainer_state.json", "model.safetensors"])
def test_a_training_without_its_curve_is_no_whole_one(lost: str, tmp_path: Path) -> None:
    """It is made again, as one without its weights is: no page shows a tuned extension without its losses."""

    def curve() -> list[float]:
        launch.register()
        places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
        asked = ["model=smoke", "method=pi", "context=x2", "train.steps=2", "train.batch_size=2", "wandb=disabled",
                 "data.source=made_up", "task=passkey_short", "compute.dtype=float32"]  # fmt: skip
        run(launch.typed(launch.composed([*asked, *places])))
        rows = records.read(tmp_path / "results" / "single" / "smoke" / "rows.jsonl")
        return [row.value for row in rows if row.metric == "training_loss"]

    true = curve()
    assert len(true) == 2
    (path,) = (tmp_path / "runs" / "training").glob(f"*/checkpoint-2/{lost}")
    flipped(path)
    shutil.rmtree(tmp_path / "runs" / "records")
    assert curve() == true
    path.unlink()
    shutil.rmtree(tmp_path / "runs" / "records")
    assert curve() == true
