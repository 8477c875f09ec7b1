"""A training's checkpoints on disk: which are whole, which are kept, and which is the one to go on from."""

import json
import shutil
from pathlib import Path
from typing import Any

from position_interpolation.machine import files

DONE = "complete"  # names the checkpoint's files with size and hash; without it the folder was cut off while written

STATE = "trainer_state.json"


def at(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return folder / f"checkpoint-{step}"


def finished_steps(folder: Path) -> list[int]:
    """Steps that have a whole checkpoint, ascending."""
    whole = (path.parent for path in folder.glob(f"checkpoint-*/{DONE}") if marked(path.parent))
    return sorted(int(place.name.split("-")[1]) for place in whole)


def newest(folder: Path, most: int) -> Path | None:
    """The newest whole checkpoint up to a step; one whose bytes have changed since it was written is removed."""
    for step in reversed([step for step in finished_steps(folder) if step <= most]):
        place = at(folder, step)
        if all(files.sha256(place / name) == sha256 for name, sha256 in marked(place).get("sha256", {}).items()):
            return place
        shutil.rmtree(place)
    return None


def loss_curve(folder: Path, most: int | None = None) -> list[dict[str, float]]:
    """Logged (step, loss) pairs up to the newest whole checkpoint, or the newest up to step `most`, ascending.

    They are the Trainer's own, kept in the checkpoint and hashed with it: no curve is lost and the weights kept.
    """
    steps = [step for step in finished_steps(folder) if most is None or step <= most]
    if not steps:
        return []
    history = json.loads((at(folder, steps[-1]) / STATE).read_text())["log_history"]
    return [{"step": row["step"], "loss": row["loss"]} for row in history if "loss" in row]


def mark(place: Path, kept: bool) -> None:
    """Call a checkpoint whole; `kept` if somebody asked for its step."""
    paths = [path for path in sorted(place.rglob("*")) if path.is_file() and path.name != DONE]
    sizes = {str(path.relative_to(place)): path.stat().st_size for path in paths}
    sha256 = {str(path.relative_to(place)): files.sha256(path) for path in paths}
    files.write_text(place / DONE, json.dumps({"kept": kept, "sizes": sizes, "sha256": sha256}))


def marked(place: Path) -> dict[str, Any]:
    """What marks a checkpoint as whole; empty if it is not, or a file of it is gone or cut."""
    try:
        found: dict[str, Any] = json.loads((place / DONE).read_text())
        return found if all((place / name).stat().st_size == size for name, size in found["sizes"].items()) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remove_unfinished(folder: Path) -> None:
    """Remove checkpoints that were cut off while they were written."""
    whole = {at(folder, step) for step in finished_steps(folder)}
    for path in folder.glob("checkpoint-*"):
        if path not in whole:
            shutil.rmtree(path)
