"""A checkpoint's files, on this disk or on the hub, and the window that its config.json states."""

import json
from functools import lru_cache
from pathlib import Path

from position_interpolation.settings.errors import UsageError, shortened

CONFIG = "config.json"
PLAIN = ("F64", "F32", "F16", "BF16")  # what safetensors calls the dtypes whose numbers need no scale
# safetensors only: no pickle from outside.
PATTERNS = ("*.safetensors", "*.json", "tokenizer*", "*.model", "merges.txt")
LEFT_OUT = ("*/*", "consolidated*")  # other programs' copies of the weights


@lru_cache
def download(repository: str, revision: str | None, patterns: tuple[str, ...] = PATTERNS) -> Path:
    """A hub repository's files in the hub's own cache, downloaded if they are not there yet.

    Raises:
        UsageError: they cannot be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(repository, revision=revision, allow_patterns=[*patterns], ignore_patterns=[*LEFT_OUT])
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        way_out = "check model.location and model.revision, or set model=path model.location=<folder>"
        if isinstance(error, GatedRepoError):
            way_out = "accept its terms on the hub, then run hf auth login or set HF_TOKEN"
        elif isinstance(error, ConnectionError | LocalEntryNotFoundError):
            way_out = "check the network, or set model=path model.location=<folder>"
        what = repository if revision is None else f"{repository}' at revision '{revision}"
        raise UsageError(f"the hub model '{what}' could not be read ({shortened(error)}): {way_out}") from error


def window(source: str, location: str | None, revision: str | None) -> int:
    """L of a checkpoint, from its config.json; of a checkpoint on the hub nothing else is downloaded.

    Raises:
        UsageError: there is no such file, or it does not state L.
    """
    if not location:
        raise UsageError(f"model={source} needs a checkpoint: set model.location=<folder, or id on the hub>")
    place = download(location, revision, (CONFIG,)) if source == "hub" else Path(location)
    try:
        stated = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"no model in {place}: expected a folder with {CONFIG}; set model.location") from error
    except ValueError as error:
        way_out = "copy the model again or correct model.location"
        raise UsageError(f"{place / CONFIG} cannot be read ({shortened(error)}): {way_out}") from error
    found = stated.get("max_position_embeddings") if isinstance(stated, dict) else None
    if type(found) is not int:  # true is an int, too
        raise UsageError(f"{place / CONFIG} has max_position_embeddings={found!r}: set model.window=<tokens>")
    return found


def stored(place: Path) -> dict[str, str]:
    """The dtype that every weight is stored in, by its name."""
    from safetensors import safe_open

    found: dict[str, str] = {}
    for path in sorted(place.glob("*.safetensors")):
        with safe_open(path, "pt") as weights:
            found |= {name: weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
    return found
