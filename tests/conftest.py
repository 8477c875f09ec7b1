"""A random Llama sharp enough that every position and every token shows in its losses."""

import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from compositions import parsed_once
from hypothesis import settings

from position_interpolation.models import extending, loading
from position_interpolation.settings.schema import Architecture, Method, Model

WINDOW = 64

# A failure must come back on the next run, and a slow machine is no failure.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

torch.set_num_threads(1)  # the tensors are too small to share
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # each further one is a process that reads torch
# Tests run side by side, and what torch.compile keeps is not safe with several processes that write it.
os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(
    Path(tempfile.gettempdir()) / f"inductor-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
)


def pytest_collection_finish() -> None:
    """What was read by now stays; to look for garbage in it again and again is a tenth of the time of many tests."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def quick_compositions() -> Iterator[None]:
    with parsed_once():
        yield


def base(window: int = WINDOW, **shape: Any) -> Model:
    """A base of random weights: 2 layers, hidden 32, the packaged tokenizer's vocabulary."""
    usual = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "vocab_size": 4096,
        "rope_theta": 10_000.0,
    }
    return Model(
        name="random",
        rung="smoke",
        window=window,
        source="random",
        architecture=Architecture(**{**usual, **shape}),
    )


def sharpen(model: Any, seed: int = 0) -> Any:
    """Redraw all matrices: built ones are so small that logits are flat and position hardly matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                scale = 1.5 / parameter.shape[1] ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return model.eval()


@pytest.fixture(scope="session")
def random_base() -> Callable[..., Model]:
    return base


@pytest.fixture(scope="session")
def sharpened() -> Callable[..., Any]:
    return sharpen


@pytest.fixture(scope="session")
def build_llama() -> Callable[..., Any]:
    """Build a sharp random Llama under a method; the same seed gives the same weights under every method."""

    def build(
        method: str | Method = "none", factor: float = 1.0, *, seed: int = 0, window: int = WINDOW, **shape: Any
    ) -> Any:
        method = Method(method) if isinstance(method, str) else method
        return sharpen(extending.build(base(window, **shape), Path("unused"), method, factor, seed), seed)

    return build


@pytest.fixture(scope="session")
def llama(build_llama: Callable[..., Any]) -> Any:
    """The base most tests look at; do not change it."""
    return build_llama()


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return loading.tokenizer(base(), Path("unused"))
