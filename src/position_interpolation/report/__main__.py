"""Render every page of results/ from the records alone: `python -m position_interpolation.report [results]`."""

import sys
from pathlib import Path

from position_interpolation.evidence.records import ROWS
from position_interpolation.report import pages
from position_interpolation.settings.errors import UsageError, told


def main(results: Path) -> None:
    """Render each folder that has records, then the page over all of them, and say where each page lies.

    Raises:
        UsageError: no folder has records.
    """
    folders = [rows.parent for rows in sorted(results.glob(f"*/*/{ROWS}"))]
    if not folders:
        raise UsageError(f"no records in {results}: expected <experiment>/<rung>/{ROWS} below it")
    for folder in folders:
        pages.save(folder)
    place = pages.render_index(results)
    for folder in folders:
        print(folder / "README.md")
    print(place)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "results"))
    except (UsageError, OSError) as error:
        sys.exit(told(error))
