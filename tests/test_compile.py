"""Compiled layers compute what layers compute as they are, once for all of them, and only whole windows."""

import copy
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from transformers import LlamaConfig

from position_interpolation.app import launch
from position_interpolation.machine import compute
from position_interpolation.models import attention, loading
from position_interpolation.models.answers import write
from position_interpolation.models.scoring import scored_losses
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Compute, Train
from position_interpolation.tasks.passkey import prompts
from position_interpolation.tuning import extension, training
from position_interpolation.tuning.checkpoints import loss_curve

with_compiler = pytest.mark.skipif(not compute.compiles_on_cpu(), reason="no C++ compiler here")
WINDOW = 600


@pytest.fixture
def llama() -> Any:
    """Four layers in which three query heads share a key head."""
    config = LlamaConfig(
        hidden_size=96, intermediate_size=128, num_hidden_layers=4, num_attention_heads=6, num_key_value_heads=2,
        vocab_size=256, max_position_embeddings=1024,
    )  # fmt: skip
    return loading.random(config, seed=0)


def ids_of(batch: int, length: int = WINDOW) -> torch.Tensor:
    return torch.randint(3, 256, (batch, length), generator=torch.Generator().manual_seed(0))


@with_compiler
def test_scores_are_those_of_layers_as_they_are_from_one_compilation(llama: Any) -> None:
    plain = llama.to(torch.bfloat16)
    compiled = copy.deepcopy(plain)
    compute.compile_layers(compiled)
    torch._dynamo.reset()
    counters.clear()
    with torch.inference_mode():
        found = [scored_losses(model, ids_of(2), 50) for model in (plain, compiled)]

    assert counters["stats"]["unique_graphs"] == 1  # for all layers; the last one, on scored rows, runs as it is
    torch.testing.assert_close(*found, atol=0.05, rtol=0)  # bfloat16 rounds at other places
    assert float((found[0] - found[1]).mean().abs()) < 2e-3


@with_compiler
@pytest.mark.parametrize(("bf16", "recomputed"), [(True, True), (False, False)])
def test_tuning_has_the_losses_of_layers_as_they_are(llama: Any, tmp_path: Path, bf16: bool, recomputed: bool) -> None:
    data = [{"input_ids": ids, "labels": ids} for ids in ids_of(1).expand(8, -1)]
    # At 1e-2 a step overshoots, and bfloat16's rounding alone moves the next loss by 0.005.
    recipe = Train(steps=4, batch_size=2, learning_rate=1e-3, warmup_steps=0, log_every=1)
    torch._dynamo.reset()
    curves = []
    for compiled in (False, True):
        counters.clear()
        chosen = Compute("cpu", "bfloat16" if bf16 else "float32", compile=compiled, recompute=recomputed)
        training.tune(
            lambda _: copy.deepcopy(llama), data, recipe, tmp_path / str(compiled), micro_batch=2, chosen=chosen, seed=0
        )
        curves.append([row["loss"] for row in loss_curve(tmp_path / str(compiled))])

    assert counters["stats"]["unique_graphs"] >= 1  # the second really was compiled
    assert curves[1] == pytest.approx(curves[0], abs=2e-3 if bf16 else 1e-5)
    assert curves[0][-1] < curves[0][0] - 0.1  # it learns


@with_compiler
def test_a_compiled_tuning_goes_on_where_it_stopped(llama: Any, tmp_path: Path) -> None:
    data = [{"input_ids": ids, "labels": ids} for ids in ids_of(8)]  # windows as above: compiled already
    curves = []
    for name, stops in (("unbroken", [4]), ("resumed", [2, 4])):
        for steps in stops:
            training.tune(
                lambda start: loading.load(start) if start else copy.deepcopy(llama), data,
                Train(steps=steps, batch_size=2, learning_rate=1e-2, warmup_steps=0, log_every=1), tmp_path / name,
                micro_batch=2, chosen=Compute("cpu", "float32", compile=True), seed=0,
            )  # fmt: skip
        curves.append([row["loss"] for row in loss_curve(tmp_path / name)])

    assert curves[1] == curves[0]
    assert len(curves[0]) == 4


@with_compiler
def test_a_run_evaluates_compiled_layers_if_asked(tmp_path: Path) -> None:
    asked = ["model=smoke", "method=pi", "context=x4", "train=untuned", "compute.device=cpu", "compute.dtype=float32"]
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    found = []
    for compiled in (False, True):
        (config,) = launch.checked([*asked, *places, f"compute.compile={compiled}"])
        torch._dynamo.reset()
        counters.clear()
        with torch.inference_mode():
            found.append(scored_losses(extension.prepare(config, lambda _: None).model, ids_of(1, 40), 10))
        assert counters["stats"]["unique_graphs"] == compiled
    torch.testing.assert_close(*found)


def test_more_shapes_than_torch_would_compile_by_itself_all_are(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="eager"))  # no C++
    compute.compile_layers(llama)
    torch._dynamo.reset()
    counters.clear()
    with torch.inference_mode():
        for length in range(10, 22):
            with torch._dynamo.config.patch(automatic_dynamic_shapes=False):  # every shape a variant of its own
                scored_losses(llama, ids_of(1, length), 2)

    assert counters["stats"]["unique_graphs"] == 12


@with_compiler
def test_generation_leaves_the_layers_as_they_are(llama: Any) -> None:
    compute.compile_layers(llama)
    trials = [
        prompts.Probe(tuple(row.tolist()), (3, 4), lead=0, key="34", label=0, distance=0) for row in ids_of(1, 20)
    ]
    torch._dynamo.reset()
    counters.clear()
    write(llama, trials, 2, 64)

    assert counters["stats"]["unique_graphs"] == 0


def test_attention_is_a_sound_operator_of_torch() -> None:
    inputs = [torch.randn(1, heads, 20, 8, dtype=torch.bfloat16, requires_grad=True) for heads in (4, 2, 2)]
    torch.library.opcheck(attention._attention, (*inputs, 0.35))


def test_without_a_compiler_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    compute.set_up(Compute(device="cpu"))
    with pytest.raises(UsageError, match=r"compute\.compile=true needs a C\+\+ compiler"):
        compute.set_up(Compute(device="cpu", compile=True))


def test_a_cpu_gets_smaller_batches_in_evaluation_and_what_is_asked_for_everywhere() -> None:
    usual, asked = Compute(device="cpu"), Compute(device="cpu", tokens_per_forward=100)
    sizes: list[Callable[[Compute], int]] = [
        compute.tokens_per_forward,
        lambda of: compute.tokens_per_forward(of, tuning=True),
    ]
    assert [size(usual) for size in sizes] == [4096, 8192]
    assert [size(asked) for size in sizes] == [100, 100]
