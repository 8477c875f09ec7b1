"""The main job: section 2, the paper on the tiny rung and its phenomenon on SmolLM2, in one results folder.

`python -m position_interpolation.app.main_job <folder> [experiment=...] [key=value ...]`. Unless the folder is the
published results/, it ends by comparing with them, and its exit status is that of the comparison.
"""

import subprocess
import sys
from pathlib import Path

from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError, told

EXPERIMENTS = ("theory", "quickstart", "quickstart_smollm2")
PUBLISHED = Path("results")
LOCK = Path("runs") / "main_job"
CHOICE = "experiment="


def main(folder: Path, overrides: list[str]) -> int:
    """Run one experiment after another, then compare; what was measured before is reused from runs/.

    Returns the exit status of the first experiment that failed, else of the comparison.

    Raises:
        UsageError: the folder is a file, or the main job is already running.
    """
    if folder.is_file():
        raise UsageError(f"{folder} is a file: expected a folder for results")
    chosen = [text.removeprefix(CHOICE).split(",") for text in overrides if text.startswith(CHOICE)]
    others = [text for text in overrides if not text.startswith(CHOICE)]
    with files.locked(LOCK, wait=False):
        for experiment in chosen[-1] if chosen else EXPERIMENTS:
            if failed := _run("position_interpolation", f"{CHOICE}{experiment}", f"paths.results={folder}", *others):
                return failed
    return 0 if folder.resolve() == PUBLISHED.resolve() else _run("position_interpolation.compare", folder, PUBLISHED)


def _run(module: str, *arguments: str | Path) -> int:
    return subprocess.run([sys.executable, "-m", module, *map(str, arguments)]).returncode


if __name__ == "__main__":
    try:
        if len(sys.argv) < 2:
            raise UsageError("expected a results folder: python -m position_interpolation.app.main_job <folder>")
        sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
    except (UsageError, OSError) as error:
        sys.exit(told(error))
    except KeyboardInterrupt:
        sys.exit(130)
