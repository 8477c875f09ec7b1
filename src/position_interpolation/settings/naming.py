"""Names taken from places: a folder or a hub id as one word."""

import os
import re
from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

from position_interpolation.settings.places import CONF

OWN_TEXT = "own_text"  # the task that is named by its text
TUNING = "tuning"  # what records of training losses have for a task


def of(place: str | None, usual: str) -> str:
    """The last part of a path or hub id, with `_` for characters that names of results cannot have; else `usual`.

    A training's checkpoints are all called `checkpoint-<step>`, so the training's folder is part of their name.
    """
    if not place:
        return usual
    whole = Path(os.path.expanduser(place)).resolve()
    name = f"{whole.parent.name}_{whole.name}" if re.fullmatch(r"checkpoint-\d+", whole.name) else whole.name
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".+-") or usual


def of_text(place: str | None, usual: str) -> str:
    """As `of`, for text of one's own, which ends in `_text` if pages would take it for a task or a corpus of ours."""
    own = of(place, "")
    return f"{own}_text" if own in ours() else own or usual


@cache
def ours() -> frozenset[str]:
    """Names by which pages know what they show: those of tasks, and of the corpora that the paper's runs read."""
    tasks = {path.stem for path in (CONF / "task").glob("*.yaml")} - {OWN_TEXT}
    return frozenset({TUNING, *tasks, *map(str, OmegaConf.load(CONF / "data" / "hub.yaml").corpora)})
