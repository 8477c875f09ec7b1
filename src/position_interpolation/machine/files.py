"""Files that are either whole or absent, and their fingerprints."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from position_interpolation.settings.errors import UsageError


def write(path: Path, writer: Callable[[Path], object], suffix: str = "") -> None:
    """Let `writer` fill a temporary file beside `path`, then move it there in one step.

    Args:
        path: the final place; missing folders are made.
        writer: is called with the temporary path.
        suffix: ending of the temporary name, for writers that insist on one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        writer(temporary)
        temporary.chmod(0o644)  # mkstemp makes it private; results are meant to be read
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Keep other processes from changing a file meanwhile, if they ask the same way. The lock ends with its process.

    Raises:
        UsageError: another process holds it, and nobody wants to wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise UsageError(f"another process is at work on {path}: wait until it has ended") from error
        yield


def sha256(path: Path) -> str:
    """Fingerprint of one file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
