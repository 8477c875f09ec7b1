"""A training's checkpoints on disk: which are whole, which are kept, and which is the newest.

`training.py` goes on from the newest, or else from `train.resume_from`.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

from position_interpolation.machine import files

DONE = "complete"  # lists the checkpoint's files with size and hash; a folder without it was not written to the end
STATE = "trainer_state.json"


def at(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return folder / f"checkpoint-{step}"


def finished_steps(folder: Path, most: float = math.inf) -> list[int]:
    """Steps, `most` or fewer, that have a whole checkpoint, ascending."""
    whole = (path.parent for path in folder.glob(f"checkpoint-*/{DONE}") if marked(path.parent))
    return sorted(step for place in whole if (step := int(place.name.split("-")[1])) <= most)


def newest(folder: Path, most: int) -> Path | None:
    """The newest whole checkpoint up to a step; those whose bytes have changed since they were written are removed."""
    for step in reversed(finished_steps(folder, most)):
        place = at(folder, step)
        if all(files.sha256(place / name) == sha256 for name, sha256 in marked(place).get("sha256", {}).items()):
            return place
        shutil.rmtree(place)
    return None


def loss_curve(folder: Path, most: float = math.inf) -> list[dict[str, float]]:
    """Logged (step, loss) pairs up to the newest whole checkpoint, or the newest up to step `most`, ascending."""
    if not (steps := finished_steps(folder, most)):
        return []
    history = json.loads((at(folder, steps[-1]) / STATE).read_text())["log_history"]
    return [{"step": row["step"], "loss": row["loss"]} for row in history if "loss" in row]


def mark(place: Path, kept: bool) -> None:
    """Mark a checkpoint as whole; `kept` says whether somebody asked for its step."""
    paths = [path for path in sorted(place.rglob("*")) if path.is_file() and path.name != DONE]
    sizes = {str(path.relative_to(place)): path.stat().st_size for path in paths}
    sha256 = {str(path.relative_to(place)): files.sha256(path) for path in paths}
    files.write_text(place / DONE, json.dumps({"kept": kept, "sizes": sizes, "sha256": sha256}))


def marked(place: Path) -> dict[str, Any]:
    """The mark of a whole checkpoint; empty if there is none or a damaged one, or if a file is missing or cut short."""
    try:
        found: dict[str, Any] = json.loads((place / DONE).read_text())
        sizes = found["sizes"]
        hashed = found.get("sha256", {}).keys() <= sizes.keys()
        return found if hashed and all((place / name).stat().st_size == size for name, size in sizes.items()) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remove_unfinished(folder: Path) -> None:
    """Remove checkpoints that were not written to the end."""
    whole = {at(folder, step) for step in finished_steps(folder)}
    for path in folder.glob("checkpoint-*"):
        if path not in whole:
            shutil.rmtree(path)
