"""The single entrypoint: `python -m position_interpolation [group=choice ...] [key=value ...]`.

Composes the configuration, then runs one extension on one task, or sweeps over an experiment.
"""

import signal
import sys

import hydra
from omegaconf import DictConfig

from position_interpolation.app import apart, launch, side_by_side, tracking
from position_interpolation.machine import distributed
from position_interpolation.settings.errors import GO_ON, UsageError, told
from position_interpolation.settings.places import CONF

INTERRUPTED = 128 + signal.SIGINT  # as shells have it


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> float | None:
    """One job of one or many; what it returns is what a searching sweeper minimises."""
    from position_interpolation.app.run import run  # torch takes seconds to import: after composition only

    try:
        return run(launch.typed(config))
    except (UsageError, OSError) as error:  # the latter: a full disk, a place that cannot be written
        sys.exit(told(error))


def main() -> None:
    """Check every job's configuration, let Hydra run them, then render what they recorded."""
    try:
        configs = launch.prepare(sys.argv[1:])
        sys.argv += apart.overrides(configs)
        if configs:
            tracking.check(configs[0])
        at_a_time = launch.side_by_side(sys.argv[1:], configs)
        if at_a_time > 1:
            side_by_side.carry_out(launch.command_lines(sys.argv[1:]), configs, at_a_time)
        else:
            job()
        launch.finish(configs)
        distributed.leave()
    except (UsageError, OSError) as error:
        # Every process refuses the same command line; one says why.
        sys.exit(told(error) if distributed.is_first() else 1)
    except KeyboardInterrupt:
        print(f"\nstopped: {GO_ON}", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
