"""Chunks whose positions skip: what positions they see, and that attention crosses the skip."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from position_interpolation.app import launch
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Compute, Train
from position_interpolation.text.packing import PackedWindows
from position_interpolation.text.skipping import SkippedPositions
from position_interpolation.tuning.checkpoints import loss_curve
from position_interpolation.tuning.extension import prepare
from position_interpolation.tuning.training import tune

CHUNK, WINDOW = 16, 64


def chunks(length: int, seed: int = 0, window: int = WINDOW) -> SkippedPositions:
    tokens = np.random.default_rng(0).integers(3, 256, 5000).astype(np.uint32)
    return SkippedPositions(PackedWindows({"books": tokens}, {"books": 1.0}, CHUNK, length, seed, 0), window, seed)


def positions(items: SkippedPositions) -> np.ndarray[Any, Any]:
    return np.stack([items[index]["position_ids"].numpy() for index in range(len(items))])


def test_a_chunk_is_two_runs_of_positions_inside_the_window() -> None:
    rows = positions(chunks(500))
    steps = np.diff(rows, axis=1)

    assert (rows[:, 0] == 0).all()
    assert ((steps == 1).sum(axis=1) >= CHUNK - 2).all()  # one skip at most
    assert rows.max() == WINDOW - 1
    assert (steps >= 1).all()


def test_every_distance_below_the_window_is_seen() -> None:
    rows = positions(chunks(2000))
    seen = np.unique(rows[:, :, None] - rows[:, None, :])
    assert set(range(WINDOW)) <= set(seen.tolist())
    # By hand: cuts are uniform over 1 .. 15 and skips over 0 .. 48, so half of each on average.
    cut = (np.diff(rows, axis=1) == 1).cumprod(axis=1).sum(axis=1)[rows[:, -1] >= CHUNK] + 1
    assert cut.mean() == pytest.approx(8, abs=0.4)
    assert (rows[:, -1] - (CHUNK - 1)).mean() == pytest.approx(24, abs=1.2)


def test_a_chunk_as_long_as_the_window_skips_nothing() -> None:
    assert (positions(chunks(20, window=CHUNK)) == np.arange(CHUNK)).all()


def test_an_item_depends_on_the_seed_and_its_place_alone() -> None:
    assert np.array_equal(positions(chunks(10)), positions(chunks(40))[:10])
    assert not np.array_equal(positions(chunks(10)), positions(chunks(10, seed=1)))


def test_attention_crosses_the_skip(llama: Any) -> None:
    """transformers takes a jump for the start of a packed sequence unless told otherwise: against a plain mask."""
    item = next(item for item in (chunks(10)[index] for index in range(10)) if item["position_ids"][-1] > CHUNK)
    read = {key: value[None] for key, value in item.items() if key != "labels"}
    causal = torch.ones(CHUNK, CHUNK, dtype=torch.bool).tril()[None, None]
    with torch.inference_mode():
        ours = llama.model(**read, use_cache=False).last_hidden_state
        plain = llama.model(**{**read, "attention_mask": causal}, use_cache=False).last_hidden_state
        split = llama.model(**{**read, "attention_mask": None}, use_cache=False).last_hidden_state

    assert torch.allclose(ours, plain, atol=1e-5)
    assert not torch.allclose(split, plain, atol=1e-2)  # the trap is real


def test_the_loss_that_is_tuned_is_that_of_the_skipped_positions(
    build_llama: Callable[..., Any], tmp_path: Path
) -> None:
    def build() -> Any:
        return build_llama("pi", 4.0, window=CHUNK, vocab_size=256)

    recipe = Train(steps=1, batch_size=2, mixture={"books": 1.0}, learning_rate=1e-3)
    data = chunks(2)
    tune(lambda _: build(), data, recipe, tmp_path, micro_batch=2, chosen=Compute("cpu", "float32"), seed=0)
    model, causal = build(), torch.ones(CHUNK, CHUNK, dtype=torch.bool).tril()[None, None]
    with torch.inference_mode():
        by_hand = [
            model(
                input_ids=item["input_ids"][None], position_ids=item["position_ids"][None], attention_mask=causal
            ).logits[0, :-1].log_softmax(-1).gather(1, item["input_ids"][1:, None]).mean()
            for item in (data[0], data[1])
        ]  # fmt: skip

    assert loss_curve(tmp_path)[0]["loss"] == pytest.approx(-float(torch.stack(by_hand).mean()), rel=1e-4)


def test_the_signature_tells_chunks_from_whole_windows() -> None:
    def parts(*overrides: str) -> Any:
        (config,) = launch.checked(
            ["model=smoke", "data.source=made_up", "task=pg19_short", "extension=pi_x4", *overrides]
        )
        return prepare(config, lambda _: None).parts["training"]

    assert "chunk" not in parts("train=tune")["recipe"]
    assert parts("train=pose", "train.chunk=64")["recipe"]["chunk"] == 64


def test_a_chunk_longer_than_the_window_is_refused() -> None:
    with pytest.raises(UsageError, match=r"train\.chunk=2048 is longer than the window 256"):
        launch.checked(["model=smoke", "extension=pi_x4", "train=pose", "task=pg19_short"])
