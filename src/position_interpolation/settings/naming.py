"""Names taken from places: a folder or a hub id as one word."""

import re
from pathlib import Path


def of(place: str | None, usual: str) -> str:
    """The last part of a path or hub id, with `_` for characters that names of results cannot have; else `usual`."""
    if not place:
        return usual
    return re.sub(r"[^\w.+-]", "_", Path(place).expanduser().resolve().name).lstrip(".+-") or usual
