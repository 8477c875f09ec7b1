"""The card of an exported model: what it is, what made it, and how to load it."""

from pathlib import Path
from typing import TYPE_CHECKING

from position_interpolation.evidence import records
from position_interpolation.evidence.extensions import PAPERS
from position_interpolation.machine import files
from position_interpolation.settings.schema import Config, ExportTask
from position_interpolation.text import corpora

if TYPE_CHECKING:  # torch takes seconds to import, and a refused command line needs none of it
    from position_interpolation.tuning.extension import Prepared


NAME = "README.md"
OPTIMIZERS = {"adamw": "AdamW", "muon": "Muon for matrices, for the rest AdamW"}
PAPER = " of *Extending Context Window of Large Language Models via Position Interpolation* (arXiv:2306.15595)"
SIGNATURE = "- signature of the extension: "


def is_ours(folder: Path) -> bool:
    """Whether a folder is an earlier export, which its card shows, or an interrupted one."""
    place = folder / NAME
    return (folder / files.PARTIAL).is_dir() or (place.is_file() and SIGNATURE in place.read_text(errors="replace"))


def card(config: Config, prepared: "Prepared") -> str:
    """Markdown for the folder's README.md, with the front matter that the hub reads."""
    assert isinstance(config.task, ExportTask)
    treatment, train = prepared.treatment, config.train
    versions = ", ".join(f"{name} {version}" for name, version in records.versions().items())
    recipe = f"""\
- {treatment.steps} steps of {train.batch_size} sequences, {OPTIMIZERS[train.optimizer]} {train.beta1} / \
{train.beta2}, learning rate {train.learning_rate:g} after {train.warmup_steps} warm-up steps, schedule {train.schedule}
- text: {corpora.shares(config.data, train.mixture)} (data={config.data.source}), seed {config.seed}"""
    if train.chunk is not None:
        recipe += f"\n- on chunks of {train.chunk} tokens whose positions skip (PoSE)"
    on_the_hub = f"base_model: {config.model.location}\n" if config.model.source == "hub" else ""
    return f"""\
---
library_name: transformers
pipeline_tag: text-generation
{on_the_hub}---

# {config.model.name}, {treatment.method} x{treatment.factor:g}

{config.model.name} (window {config.model.window}) read up to {treatment.window} tokens by the method \
`{treatment.method}`{PAPER if treatment.method in PAPERS else ""}. The positions are in config.json: transformers and \
llama.cpp need nothing set. vLLM and SGLang multiply the window by the factor once more, so tell them where it ends:

```bash
vllm serve <this folder> --max-model-len {treatment.window}
```

## Tuning

{recipe if treatment.steps else "None: the base's weights."}

## Where it comes from

- base weights, sha256: `{prepared.parts["weights"]}`
- weights here: {config.task.dtype}, rounded from float32 (`task.dtype`)
{SIGNATURE}`{records.signature(prepared.parts)}`
- code: {records.commit() or "not under version control"}; {versions}

The licence is the base's.
"""
