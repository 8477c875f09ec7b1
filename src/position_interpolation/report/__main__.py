"""Render every page of results/ from the records alone: `python -m position_interpolation.report [results]`."""

import sys
from pathlib import Path

from position_interpolation.records import ROWS
from position_interpolation.report import pages


def main(results: Path) -> None:
    """Render each folder that has records, then the page over all of them."""
    for rows in sorted(results.glob(f"*/*/{ROWS}")):
        pages.render(rows.parent)
    pages.render_index(results)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results"))
