"""One worker of a sweep: it carries out the jobs that it is given, one after another, and renders nothing.

`side_by_side` starts it as `python -m position_interpolation.app.worker PARENT JOBS`: the number of the
process that starts it, and the jobs' overrides as JSON.
"""

import json
import os
import sys
import threading
import time

from position_interpolation.app import config_store, launch
from position_interpolation.settings.errors import UsageError, told


def end_with(parent: int) -> None:
    """End this process soon after the one that started it, however that one ended, so that nothing is left behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)  # checkpoints and records are whole or absent

    threading.Thread(target=watch, daemon=True).start()


def end() -> None:
    """End this process at once: all is on the disk, and Python would take seconds to take torch apart."""
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()  # waits for what is still to be written, or uploaded
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def main(jobs: list[list[str]]) -> None:
    """Compose and run each job, and print which one begins."""
    config_store.register()
    from position_interpolation.app.run import run  # torch takes seconds to import

    for number, overrides in enumerate(jobs, start=1):
        print(f"job {number} of {len(jobs)}: {' '.join(overrides)}", flush=True)
        run(launch.typed(launch.composed(overrides)))


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    try:
        main(json.loads(sys.argv[2]))
    except (UsageError, OSError) as error:
        sys.exit(told(error))
    except KeyboardInterrupt:
        sys.exit(130)
    end()
