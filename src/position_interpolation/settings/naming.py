"""Names that are taken from places: what a folder or a hub id is called, as one word."""

import re
from pathlib import Path


def of(place: str | None, usual: str) -> str:
    """The last part of a path or of a hub id, with `_` for what file names of results do not take.

    Args:
        place: the path or id; None or empty if nothing is chosen yet.
        usual: the name where there is none.
    """
    if not place:
        return usual
    return re.sub(r"[^\w.+-]", "_", Path(place).expanduser().resolve().name).lstrip(".+-") or usual
