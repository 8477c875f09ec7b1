"""Render every page of results/ from the records alone: `python -m position_interpolation.report [results]`."""

import argparse
import sys
from pathlib import Path

from position_interpolation.evidence.records import ROWS
from position_interpolation.report import folders, pages
from position_interpolation.settings.errors import UsageError, told


def main(results: Path) -> None:
    """Render each folder that has records, then the page over all of them, and say where each page lies.

    Raises:
        UsageError: no folder has records, or some could not be rendered; the others were.
    """
    found, faults = folders.found(results), list[str]()
    if not found:
        raise UsageError(f"no records in {results}: expected <experiment>/<rung>/{ROWS} below it")
    for folder in found:
        with folders.named(folder, faults):
            pages.save(folder)
            print(folder / "README.md")
    print(pages.render_index(results))
    if faults:
        raise UsageError(f"{len(faults)} of {len(found)} folders were not rendered: {'; '.join(faults)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m position_interpolation.report", description="Render every page.")
    parser.add_argument("results", type=Path, nargs="?", default="results", help="folder of results")
    try:
        main(parser.parse_args().results)
    except (UsageError, OSError) as error:
        sys.exit(told(error))
