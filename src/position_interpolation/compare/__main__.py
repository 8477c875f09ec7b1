"""Hold one results folder against another: `python -m position_interpolation.compare <ours> <theirs>`.

Exit status: 0 if rounding explains every difference and every claim comes out the same, 1 if not, 2 for bad input.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from position_interpolation.compare import differences, page
from position_interpolation.evidence.records import ROWS, Record, read
from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError

PAGE = "comparison.md"
BAD_INPUT = 2


def main(ours: Path, theirs: Path, console: Console | None = None) -> bool:
    """Print table and conclusion, write the page with every difference into our folder, and say whether both agree.

    Raises:
        UsageError: a folder without records, records of another format, or no number that is in both.
        OSError: the page cannot be written; the table is printed before.
    """
    comparison = differences.compare(records(ours), records(theirs))
    console = console or Console(width=page.WIDTH, highlight=False)
    console.print(page.grid(comparison))
    for line in (*page.remarks(comparison, str(ours), str(theirs)), *comparison.otherwise):
        console.print(Text(line))
    console.print(Text(page.conclusion(comparison), style="bold green" if comparison.agrees else "bold red"))
    place = ours / PAGE
    files.write_text(place, page.markdown(comparison, str(ours), str(theirs)))
    console.print(Text(f"Every difference: {place}"), soft_wrap=True)
    return comparison.agrees


def records(results: Path) -> list[Record]:
    """All records below a folder.

    Raises:
        UsageError: there are none, or some are of another format.
    """
    found = sorted(results.rglob(ROWS)) if results.is_dir() else []
    try:
        rows = [record for path in found for record in read(path)]
    except UsageError as error:
        raise UsageError(f"{error}; or, if an older version wrote it, measure again with this one") from error
    if not rows:
        what = "is a file" if results.is_file() else "does not exist" if not results.exists() else "has no records"
        raise UsageError(f"{results} {what}: expected a results folder, with <experiment>/<rung>/{ROWS} below it")
    return rows


if __name__ == "__main__":
    try:
        if len(sys.argv) != 3:
            raise UsageError("expected two results folders: python -m position_interpolation.compare <ours> <theirs>")
        sys.exit(0 if main(Path(sys.argv[1]), Path(sys.argv[2])) else 1)
    except (UsageError, OSError) as error:  # the latter: a full disk, a folder that cannot be written
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
