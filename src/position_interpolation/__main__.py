"""The single entrypoint: `python -m position_interpolation [group=choice ...] [key=value ...]`.

Composes the configuration, then runs one extension on one task, or sweeps over an experiment.
"""

import os
import signal
import sys
from contextlib import suppress

import hydra
from omegaconf import DictConfig

from position_interpolation.app import apart, launch, side_by_side, tracking
from position_interpolation.machine import distributed
from position_interpolation.planning.opening import opening
from position_interpolation.settings.errors import GO_ON, UsageError, told
from position_interpolation.settings.places import CONF

INTERRUPTED = 128 + signal.SIGINT  # as shells have it


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> float | None:
    """Run one job; what it returns is what a searching sweeper minimises."""
    from position_interpolation.app.run import run  # torch takes seconds to import: after composition only

    try:
        return run(launch.typed(config))
    except (UsageError, OSError) as error:  # the latter: a full disk, a place that cannot be written
        sys.exit(told(error))


def main() -> None:
    """Carry out the command line. What stops it is told in one line, and the exit status is then not 0."""
    speaks = True
    try:
        speaks = distributed.is_first()  # every process refuses the same command line; one says why
        carry_out(sys.argv[1:])
        return
    except (UsageError, OSError) as error:
        said, status = told(error), 1
    except KeyboardInterrupt:
        said, status = f"stopped: {GO_ON}", INTERRUPTED
    # Here, past the handlers, what was being done is gone, and its progress bar with it.
    if speaks:
        print(said, file=sys.stderr)
    sys.exit(status)


def carry_out(arguments: list[str]) -> None:
    """Check every job's configuration, let Hydra run them, then render what they recorded."""
    configs = launch.checked(arguments)
    if configs:  # else Hydra only shows something
        arguments += apart.overrides(configs)
        tracking.check(configs[0])
    at_a_time = launch.side_by_side(arguments, configs)
    lines = opening(configs, at_a_time, bool(configs) and launch.searched(arguments))
    if lines and distributed.is_first():
        begin("\n".join(lines))
    try:
        if at_a_time > 1:
            side_by_side.carry_out(launch.jobs(arguments), configs, at_a_time)
        else:
            sys.argv[1:] = arguments
            os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints a traceback of what `main` tells in one line
            job()
    except (UsageError, SystemExit):
        if len(configs) > 1:  # the page shows what the other jobs measured; the job's own error is told last
            with suppress(UsageError):
                launch.finish(configs)
        raise
    launch.finish(configs)
    distributed.leave()


def begin(said: str) -> None:
    """Print what is going to be done. Where nobody reads it (`| head -0`), it is done all the same, in silence."""
    try:
        print(said, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
