"""Runs of about a second on random words, carried out by the entrypoint in this process, and what they measure."""

import sys
from pathlib import Path
from typing import Any

from position_interpolation import __main__ as entry
from position_interpolation.evidence import records

TASKS = {
    "pg19_short": ["task.documents=1", "task.minimum_factor=null", "task.truncate_factor=2", "task.bootstrap=10",
                   "task.window_factors=[1,2]"],
    "passkey_short": [], "plan": [], "rotation": [], "positions": ["task.documents=1"], "export": ["task.folder=out"],
}  # fmt: skip
USUAL = ["data.source=made_up", "wandb=disabled", "compute.threads=1", "compute.dtype=float32"]
UNTUNED = ["method=none", "context=x1", "train=untuned"]
PLACES = [f"paths.{name}={name}" for name in ("results", "runs", "cache")]


def asked(*overrides: str, task: str = "pg19_short", model: str = "smoke") -> list[str]:
    """The command line of a run of about a second, on random words and weights."""
    return [f"model={model}", f"task={task}", *USUAL, *TASKS[task], *PLACES, *overrides]


def tuning(*more: str, task: str = "pg19_short") -> list[str]:
    """A run that tunes, saves on the way, measures and renders."""
    recipe = ["train.steps=4", "train.save_every=2", "train.batch_size=2"]
    return asked("method=pi", "context=x2", *recipe, *more, task=task)


def of_base() -> list[str]:
    """A run of the checkpoint in the folder `base`."""
    return asked("model.location=base", "method=pi", "context=x2", "train=untuned", model="path")


def carried_out(arguments: list[str]) -> dict[str, Any]:
    """What a command measures: of each record what it is, its signature and its value."""
    sys.argv[1:] = arguments
    entry.main()
    return measured(Path())


def measured(folder: Path) -> dict[str, Any]:
    """Records below a folder's results."""
    found = {}
    for path in sorted(folder.glob(f"results/*/*/{records.ROWS}")):
        place = path.parent.relative_to(folder)
        found |= {f"{place} {row.identity}": [row.signature, row.value] for row in records.read(path)}
    return found
