"""Files that are either whole or absent, and their fingerprints."""

import errno
import fcntl
import glob
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from position_interpolation.settings.errors import UsageError

# A folder's files are in here until all are written. It is emptied before use, so the name must be ours alone.
PARTIAL = ".position_interpolation.partial"


def write(path: Path, writer: Callable[[Path], object], suffix: str = "") -> None:
    """Let `writer` fill a temporary file beside `path`, then move it there in one step.

    The temporary file is locked while it is written. Unlocked ones were left by killed writers and are removed. Missing
    folders are made. A link stays a link, and its target is written. The temporary name ends in `suffix`, for writers
    that insist on one.

    Raises:
        OSError: the file cannot be written; the error names its path.
    """
    with writing(path):
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_strays(path, suffix)
        handle, temporary = _temporary(path, suffix)
        try:
            writer(temporary)
            temporary.chmod(0o644)  # mkstemp makes it private; results are meant to be read
            with temporary.open("rb") as written:
                os.fsync(written)  # else a machine that stops may keep the name and lose the bytes
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(handle)


@contextmanager
def writing(place: Path, *failures: type[BaseException]) -> Iterator[None]:
    """If writing fails, name the place and the free space there: on a full disk many libraries say neither.

    Raises:
        OSError: something inside raised an OSError, or one of the writing library's own exceptions (`failures`). The
            place is its filename.
    """
    try:
        yield
    except (OSError, *failures) as error:  # type: ignore[misc]
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
        free = shutil.disk_usage(next(folder for folder in place.resolve().parents if folder.is_dir())).free
        raise OSError(errno.EIO, f"{reason} ({free / 1e6:,.0f} MB are free there)", str(place)) from error


def _temporary(path: Path, suffix: str) -> tuple[int, Path]:
    """A new file beside `path`, open and locked."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=suffix)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # before it was locked, another writer took it for a stray and removed it


def _remove_strays(path: Path, suffix: str) -> None:
    for name in glob.iglob(f".{glob.escape(path.name)}.{'?' * 8}{glob.escape(suffix)}", root_dir=path.parent):
        stray = path.parent / name
        with suppress(OSError), stray.open("rb") as stream:  # its writer holds it, or has just moved it into place
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stray.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_hashed(path: Path, writer: Callable[[Path], object], suffix: str = "") -> None:
    """As `write`, with a fingerprint of the bytes in a second file beside it."""
    write(path, writer, suffix)
    write_text(_fingerprint(path), sha256(path))


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file, with the fingerprint of its bytes.

    By way of memory: where numpy writes to a file itself, it does not notice that the last few kB met a full disk.
    """
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_hashed(path, lambda temporary: temporary.write_bytes(buffer.getbuffer()))


def intact(path: Path) -> bool:
    """Whether a file of `write_hashed` exists and has the bytes that were written."""
    try:
        return _fingerprint(path).read_bytes() == sha256(path).encode()
    except OSError:
        return False


def _fingerprint(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Keep out other processes that lock the same path. The lock ends with its process.

    Raises:
        UsageError: another process holds the lock, and `wait` is false.
    """
    path = path.resolve()
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
