"""Tuning with the Trainer: the losses of a plain loop, whatever the accumulation, and exact resume."""

import io
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING, Metadata
from torch.nn.functional import cross_entropy

from position_interpolation.models import extending, loading
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Compute, Method, Train
from position_interpolation.text.packing import PackedWindows
from position_interpolation.tuning import optimizer_state
from position_interpolation.tuning.checkpoints import at as checkpoint
from position_interpolation.tuning.checkpoints import finished_steps, loss_curve
from position_interpolation.tuning.trainer import learning_rate_factor
from position_interpolation.tuning.training import tune

BATCH, WINDOW, VOCABULARY = 4, 32, 256
Build = Callable[[], Any]


def recipe(steps: int, **changes: Any) -> Train:
    """A recipe whose every setting shows within six steps."""
    usual = {
        "batch_size": BATCH,
        "mixture": {"books": 1.0},
        "learning_rate": 3e-3,
        "warmup_steps": 3,
        "weight_decay": 0.1,
        "clip": 2e-6,  # Adam forgets the scale of gradients, save where they are near its epsilon of 1e-8
        "save_every": 100,
        "log_every": 1,
    }
    return Train(steps=steps, **{**usual, **changes})


def dataset(steps: int) -> PackedWindows:
    tokens = np.random.default_rng(0).integers(3, VOCABULARY, 20_000).astype(np.uint32)
    return PackedWindows({"books": tokens}, {"books": 1.0}, WINDOW, steps * BATCH, seed=0, bos=0)


def run(build: Build, train: Train, folder: Path, data: Any = None, **options: Any) -> Path:
    usual = {"micro_batch": BATCH, "chosen": Compute("cpu", "float32"), "seed": 0}

    def built(start: Path | None) -> Any:
        return build() if start is None else loading.load(start)

    return tune(built, data or dataset(train.steps), train, folder, **{**usual, **options})


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in loss_curve(folder)]


def assert_same_weights(left: Path, right: Path) -> None:
    one, other = loading.load(left).state_dict(), loading.load(right).state_dict()
    for name, weight in one.items():
        assert torch.equal(weight, other[name]), name


class CutOff(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """A data set that fails like a killed machine when a step's windows are asked for."""

    def __init__(self, whole: PackedWindows, step: int) -> None:
        self.whole, self.end = whole, step * BATCH

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if index >= self.end:
            raise KeyboardInterrupt
        return self.whole[index]


@pytest.fixture
def build(build_llama: Callable[..., Any]) -> Build:
    return lambda: build_llama("pi", 4.0, vocab_size=VOCABULARY)


@pytest.fixture(scope="module")
def straight(build_llama: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps in one go: what every detour must arrive at."""
    folder = tmp_path_factory.mktemp("straight")
    run(lambda: build_llama("pi", 4.0, vocab_size=VOCABULARY), recipe(6), folder)
    return folder


# What cannot go on


def test_a_tuning_that_diverges_stops_at_once(build: Build, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tuning diverged: .* at step 2; lower train\.learning_rate"):
        run(build, recipe(6, learning_rate=1e30, warmup_steps=0, clip=1.0), tmp_path)
    assert finished_steps(tmp_path) == []
    assert losses(tmp_path) == []


def test_a_checkpoint_whose_bytes_changed_is_made_again(build: Build, straight: Path, tmp_path: Path) -> None:
    run(build, recipe(6, checkpoints=[3]), tmp_path)
    for step in (3, 6):
        weights = checkpoint(tmp_path, step) / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-100:] = bytes(100)
        weights.write_bytes(content)
    assert_same_weights(run(build, recipe(6, checkpoints=[3]), tmp_path), checkpoint(straight, 6))
    assert finished_steps(tmp_path) == [3, 6]


# Learning rate


def test_the_papers_warm_up_rises_from_a_tenth_to_the_peak_over_20_steps_and_stays() -> None:
    factor = learning_rate_factor(Train(steps=1000))
    assert factor(0) == pytest.approx(0.1)
    assert factor(10) == pytest.approx(0.55)
    assert factor(19) == pytest.approx(0.955)
    assert [factor(step) for step in (20, 21, 500, 999, 1000)] == [1.0] * 5


def test_wsd_falls_to_zero_over_the_last_fifth() -> None:
    factor = learning_rate_factor(Train(steps=1000, schedule="wsd"))
    assert factor(0) == pytest.approx(0.1)
    assert [factor(step) for step in (20, 500, 800)] == [1.0] * 3
    assert factor(850) == pytest.approx(0.75)
    assert factor(999) == pytest.approx(1 / 200)
    assert factor(1000) == 0


def test_no_warm_up_starts_at_the_peak() -> None:
    assert learning_rate_factor(Train(steps=10, warmup_steps=0))(0) == 1


# Against a plain loop


def plain_loop(model: Any, train: Train) -> list[float]:
    """All logits, torch's own AdamW, one batch a step; matrices decay, the norms' scales do not."""
    model.train()
    groups = [
        {
            "params": [weight for weight in model.parameters() if weight.ndim == 2],
            "weight_decay": train.weight_decay,
        },
        {"params": [weight for weight in model.parameters() if weight.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(train.beta1, train.beta2))
    windows = dataset(train.steps)
    curve = []
    for step in range(train.steps):
        warm = 0.1 + 0.9 * step / train.warmup_steps if step < train.warmup_steps else 1.0
        for group in optimizer.param_groups:
            group["lr"] = train.learning_rate * warm
        ids = torch.stack([windows[step * BATCH + row]["input_ids"] for row in range(BATCH)])
        loss = cross_entropy(model(ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), train.clip)
        optimizer.step()
        optimizer.zero_grad()
        curve.append(loss.item())
    return curve


@pytest.mark.parametrize("micro_batch", [1, 3, 9])
def test_losses_are_those_of_a_plain_loop_whatever_the_accumulation(
    micro_batch: int, build: Build, tmp_path: Path
) -> None:
    last = run(build, recipe(6), tmp_path, micro_batch=micro_batch)
    model = build()
    expected = plain_loop(model, recipe(6))
    assert [row["step"] for row in loss_curve(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert losses(tmp_path) == pytest.approx(expected, rel=1e-5)
    assert max(expected) - min(expected) > 0.1
    tuned, start = loading.load(last).state_dict(), build().state_dict()
    for name, weight in model.state_dict().items():
        assert (tuned[name] - weight).norm() < 1e-3 * (weight - start[name]).norm(), name


@pytest.mark.parametrize(("bf16", "dtype"), [(False, torch.float32), (True, torch.bfloat16)])
def test_matrix_products_run_in_the_precision_asked_for_and_weights_stay_float32(
    bf16: bool, dtype: torch.dtype, build: Build, tmp_path: Path
) -> None:
    seen: list[tuple[torch.dtype, torch.dtype]] = []

    def watched() -> Any:
        model = build()
        projection = model.model.layers[0].mlp.up_proj
        projection.register_forward_hook(lambda module, _, output: seen.append((output.dtype, module.weight.dtype)))
        return model

    run(watched, recipe(2), tmp_path, chosen=Compute("cpu", "bfloat16" if bf16 else "float32"))
    assert set(seen) == {(dtype, torch.float32)}
    assert losses(tmp_path) == pytest.approx(plain_loop(build(), recipe(2)), rel=1e-2 if bf16 else 1e-5)


def test_the_tuned_checkpoint_keeps_its_positions(straight: Path) -> None:
    config = loading.load(checkpoint(straight, 6)).config
    assert dict(config.rope_parameters) == {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}
    assert config.max_position_embeddings == 256


@pytest.mark.parametrize("log_every", [1, 10], ids=["every step", "a run shorter than log_every"])
def test_every_logged_loss_reaches_the_listener(build: Build, tmp_path: Path, log_every: int) -> None:
    heard: list[dict[str, float]] = []
    run(build, recipe(3, log_every=log_every), tmp_path, listener=heard.append)
    steps = [row for row in heard if "train/loss" in row]
    assert [row["step"] for row in steps] == [1, 2, 3]
    assert [row["train/loss"] for row in steps] == losses(tmp_path)
    # With each step the rate it was taken at: 10 % of the peak, then a third of the way up, then two thirds.
    assert [row["train/learning_rate"] for row in steps] == pytest.approx([3e-4, 1.2e-3, 2.1e-3])


# Checkpoints and resume


def test_six_steps_are_three_and_then_six(build: Build, straight: Path, tmp_path: Path) -> None:
    run(build, recipe(3), tmp_path)
    assert finished_steps(tmp_path) == [3]
    run(build, recipe(6), tmp_path)
    assert_same_weights(checkpoint(tmp_path, 6), checkpoint(straight, 6))
    assert losses(tmp_path) == losses(straight)


@pytest.mark.parametrize(("done", "made"), [(8, [9, 10]), (10, [*range(1, 11)])], ids=["the steady steps", "too many"])
def test_a_falling_rate_begins_with_the_steps_of_a_constant_one(
    done: int, made: list[int], build: Build, tmp_path: Path
) -> None:
    falling = recipe(10, schedule="wsd")  # from step 8 on
    whole = run(build, falling, tmp_path / "whole")
    run(build, recipe(done), tmp_path / "constant")
    heard: list[dict[str, float]] = []
    found = run(build, falling, tmp_path / "own", beginning=tmp_path / "constant", listener=heard.append)
    assert_same_weights(found, whole)
    assert losses(tmp_path / "own") == losses(tmp_path / "whole")
    assert [row["step"] for row in heard if "train/loss" in row] == made
    assert finished_steps(tmp_path / "constant") == [done]


def test_a_finished_training_is_not_repeated(straight: Path) -> None:
    def refuse() -> Any:
        raise AssertionError("built again")

    assert run(refuse, recipe(6), straight) == checkpoint(straight, 6)


def test_a_training_cut_off_goes_on_from_its_newest_checkpoint(build: Build, straight: Path, tmp_path: Path) -> None:
    train = recipe(6, save_every=2, checkpoints=[2])
    with pytest.raises(KeyboardInterrupt):
        run(build, train, tmp_path, data=CutOff(dataset(6), step=5))
    assert finished_steps(tmp_path) == [2, 4]
    heard: list[dict[str, float]] = []
    run(build, train, tmp_path, listener=heard.append)
    assert [row["step"] for row in heard if "train/loss" in row] == [5, 6]  # steps 1 to 4 are not run again
    assert_same_weights(checkpoint(tmp_path, 6), checkpoint(straight, 6))
    assert losses(tmp_path) == losses(straight)


def test_an_unfinished_checkpoint_is_removed_not_resumed_from(build: Build, straight: Path, tmp_path: Path) -> None:
    run(build, recipe(3), tmp_path)
    broken = checkpoint(tmp_path, 5)
    broken.mkdir()
    (broken / "trainer_state.json").write_text("{}")
    (broken / "model.safetensors").write_bytes(b"half of it")
    assert finished_steps(tmp_path) == [3]
    run(build, recipe(6), tmp_path)
    assert not broken.exists()
    assert_same_weights(checkpoint(tmp_path, 6), checkpoint(straight, 6))


@pytest.mark.parametrize("name", ["optimizer/.metadata", "trainer_state.json", "model.safetensors"])
def test_a_checkpoint_that_lost_a_file_is_not_gone_on_from(
    name: str, build: Build, straight: Path, tmp_path: Path
) -> None:
    run(build, recipe(4, checkpoints=[2]), tmp_path)
    (checkpoint(tmp_path, 4) / name).unlink()
    assert finished_steps(tmp_path) == [2]
    run(build, recipe(6), tmp_path)
    assert_same_weights(checkpoint(tmp_path, 6), checkpoint(straight, 6))


def test_asked_for_checkpoints_stay_and_others_make_room(build: Build, tmp_path: Path) -> None:
    run(build, recipe(6, checkpoints=[2, 3], save_every=1), tmp_path)
    assert finished_steps(tmp_path) == [2, 3, 6]
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == [
        "checkpoint-2",
        "checkpoint-3",
        "checkpoint-6",
    ]


def test_a_checkpoint_at_step_k_is_the_run_of_k_steps(build: Build, straight: Path, tmp_path: Path) -> None:
    """So one long run serves every row of Table 4."""
    run(build, recipe(4), tmp_path / "four")
    run(build, recipe(6, checkpoints=[4]), tmp_path / "six")
    assert_same_weights(checkpoint(tmp_path / "four", 4), checkpoint(tmp_path / "six", 4))
    assert_same_weights(checkpoint(tmp_path / "six", 6), checkpoint(straight, 6))


def test_another_folder_goes_on_from_a_named_checkpoint(build: Build, straight: Path, tmp_path: Path) -> None:
    start = run(build, recipe(3), tmp_path / "first")
    heard: list[dict[str, float]] = []
    run(build, recipe(6, resume_from=str(start)), tmp_path / "second", listener=heard.append)
    assert [row["step"] for row in heard if "train/loss" in row] == [4, 5, 6]
    assert_same_weights(checkpoint(tmp_path / "second", 6), checkpoint(straight, 6))


def test_no_loss_curve_before_the_first_checkpoint(tmp_path: Path) -> None:
    assert loss_curve(tmp_path) == []


def test_recomputed_activations_change_no_loss(build: Build, straight: Path, tmp_path: Path) -> None:
    run(build, recipe(6), tmp_path, chosen=Compute("cpu", "float32", recompute=True))
    assert losses(tmp_path) == pytest.approx(losses(straight), rel=1e-6)


# What is refused


def test_an_index_that_would_run_code_is_refused(build: Build, tmp_path: Path) -> None:
    """torch reads the index of the optimiser's files as a pickle, and a checkpoint may be anybody's."""

    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    start = run(build, recipe(2), tmp_path / "first")
    (start / "optimizer" / ".metadata").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UsageError, match=r"cannot be continued .*its index names posix\.mkdir"):
        run(build, recipe(6, resume_from=str(start)), tmp_path / "second")
    assert not (tmp_path / "sprung").exists()


class Named:
    """Pickled as Python 3.11.0 to 3.11.3 pickle the member of an enum: by `getattr`."""

    def __init__(self, kind: type, name: str) -> None:
        self.kind, self.name = kind, name

    def __reduce__(self) -> tuple[Any, tuple[type, str]]:
        return getattr, (self.kind, self.name)


def test_an_index_of_an_older_python_is_read() -> None:
    stored = pickle.dumps(Named(_MEM_FORMAT_ENCODING, "TORCH_CONTIGUOUS_FORMAT"))
    assert optimizer_state.Index(io.BytesIO(stored)).load() is _MEM_FORMAT_ENCODING.TORCH_CONTIGUOUS_FORMAT


def test_an_index_of_python_3_13_is_read_or_refused_in_words() -> None:
    """There a path belongs to the module pathlib._local, which other versions of Python do not have."""
    stored = b"cpathlib._local\nPosixPath\n(S'checkpoint'\ntR."
    if sys.version_info[:2] == (3, 13):
        assert optimizer_state.Index(io.BytesIO(stored)).load() == Path("checkpoint")
    else:
        with pytest.raises(ValueError, match=r"pathlib\._local\.PosixPath, which only another version of Python has"):
            optimizer_state.Index(io.BytesIO(stored)).load()


@pytest.mark.parametrize(("kind", "name"), [(Metadata, "__init__"), (_MEM_FORMAT_ENCODING, "__class__")])
def test_an_index_asks_for_no_other_attribute(kind: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor after it has told the enum that this is a member."""
    monkeypatch.setattr(_MEM_FORMAT_ENCODING, "_member_map_", {name: kind})
    stored = pickle.dumps(Named(kind, name))
    with pytest.raises(ValueError, match=rf"asks for {name} of .* which has no place there"):
        optimizer_state.Index(io.BytesIO(stored)).load()


def test_a_number_that_would_run_code_is_refused(build: Build, tmp_path: Path) -> None:
    """torch reads what is no tensor in these files, such as the learning rate, as a pickle too."""

    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    start = run(build, recipe(2), tmp_path / "first")
    folder = start / "optimizer"
    index = pickle.loads((folder / ".metadata").read_bytes())
    key = next(key for key in index.storage_data if key.fqn.endswith("weight_decay"))
    part = folder / index.storage_data[key].relative_path
    payload = io.BytesIO()
    torch.save(Trap(), payload)
    index.storage_data[key] = replace(
        index.storage_data[key], offset=part.stat().st_size, length=len(payload.getvalue())
    )
    part.write_bytes(part.read_bytes() + payload.getvalue())
    (folder / ".metadata").write_bytes(pickle.dumps(index))
    with pytest.raises(UsageError, match=r"cannot be continued .*weight_decay is no number"):
        run(build, recipe(6, resume_from=str(start)), tmp_path / "second")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_checkpoint_of_another_optimiser_is_refused(optimizer: str, build: Build, tmp_path: Path) -> None:
    other = "muon" if optimizer == "adamw" else "adamw"
    start = run(build, recipe(2, optimizer=other), tmp_path / "first")
    start = start.rename(tmp_path / "mine")  # a copy may have any name
    with pytest.raises(UsageError, match="cannot be continued") as refused:
        run(build, recipe(6, optimizer=optimizer, resume_from=str(start)), tmp_path / "second")
    assert "\n" not in str(refused.value)


def test_a_checkpoint_of_another_shape_is_refused(
    build: Build, random_base: Callable[..., Any], tmp_path: Path
) -> None:
    start = run(build, recipe(2), tmp_path / "first")
    wider = random_base(hidden_size=64, num_hidden_layers=1)
    with pytest.raises(UsageError, match=r"checkpoint-2 (has|cannot be read)"):
        extending.build(wider, tmp_path, Method("none"), 1.0, 0, start)


# Muon


def muon_loop(model: Any, train: Train) -> list[float]:
    """Two optimisers side by side: Muon on the layers' matrices, AdamW without decay on everything else."""
    model.train()
    matrices = [weight for name, weight in model.named_parameters() if "proj" in name]
    others = [weight for name, weight in model.named_parameters() if "proj" not in name]
    muon = torch.optim.Muon(matrices, lr=1.0, weight_decay=train.weight_decay, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(others, lr=1.0, betas=(train.beta1, train.beta2), weight_decay=0.0)
    windows, curve = dataset(train.steps), []
    for step in range(train.steps):
        for group in (*muon.param_groups, *adamw.param_groups):
            group["lr"] = train.learning_rate * (0.1 + 0.9 * step / 3 if step < 3 else 1.0)
        ids = torch.stack([windows[step * BATCH + row]["input_ids"] for row in range(BATCH)])
        loss = cross_entropy(model(ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), train.clip)
        for optimizer in (muon, adamw):
            optimizer.step()
            optimizer.zero_grad()
        curve.append(loss.item())
    return curve


def test_muon_trains_the_matrices_and_adamw_the_rest(build: Build, tmp_path: Path) -> None:
    train = recipe(6, optimizer="muon", clip=1.0)
    run(build, train, tmp_path)
    assert losses(tmp_path) == pytest.approx(muon_loop(build(), train), rel=1e-3)
    assert losses(tmp_path) != pytest.approx(plain_loop(build(), train), rel=1e-3)


def test_muon_goes_on_from_its_own_state(build: Build, tmp_path: Path) -> None:
    train = recipe(6, optimizer="muon", clip=1.0, checkpoints=[3])
    run(build, train, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        run(build, train, tmp_path / "cut", data=CutOff(dataset(6), step=5))
    run(build, train, tmp_path / "cut")
    assert_same_weights(checkpoint(tmp_path / "cut", 6), checkpoint(tmp_path / "straight", 6))
