"""Results folders. One that is damaged is named, and keeps no other from its page."""

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from position_interpolation.evidence.records import ROWS, Record, read
from position_interpolation.settings.errors import UsageError


def found(results: Path, rung: str = "*") -> list[Path]:
    """Folders results/<experiment>/<rung> that have records, ordered by name."""
    return [rows.parent for rows in sorted(results.glob(f"*/{rung}/{ROWS}"))]


def readable(folders: Iterable[Path], faults: list[str]) -> dict[Path, list[Record]]:
    """The records of each folder. One whose records cannot be read is left out, and the reason is added to `faults`."""
    records = {}
    for folder in folders:
        with named(folder, faults):
            if rows := read(folder / ROWS):
                records[folder] = rows
    return records


@contextmanager
def named(folder: Path, faults: list[str]) -> Iterator[None]:
    """Add to `faults` whatever goes wrong with a folder, be it a mistake in its records or in the code."""
    try:
        yield
    except UsageError as error:
        faults.append(str(error))
    except OSError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error}, {Path(place.filename).name}:{place.lineno}"
        faults.append(f"{folder} cannot be rendered ({what}): report it with its {ROWS}")
