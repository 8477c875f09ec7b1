"""What a command line will do, in a few lines before it begins."""

from collections.abc import Sequence
from pathlib import Path

from position_interpolation.evidence.words import plural
from position_interpolation.settings import derived
from position_interpolation.settings.schema import Config

ASIDE = ("plan", "report", "export", "tokenizer", "theory")  # kinds of tasks that measure no extension


def opening(configs: Sequence[Config], at_a_time: int) -> list[str]:
    """What is measured, what is tuned for it, and where things go.

    What earlier runs left behind is found again, so this is the most that there is to do.

    Args:
        configs: of all jobs.
        at_a_time: how many jobs run side by side.
    """
    measuring = [config for config in configs if config.task.kind not in ASIDE]
    if not measuring:
        return []
    first = measuring[0]
    tasks = ", ".join(dict.fromkeys(config.task.name for config in measuring))
    beside = f", {min(at_a_time, len(measuring))} at a time" if at_a_time > 1 else ""
    longest: dict[str, Config] = {}  # of each training, the job that asks for the most steps
    for config in measuring:
        if derived.extension(config).steps:
            key = derived.training(config)
            longest[key] = max(longest.get(key, config), config, key=lambda one: one.train.steps)
    tokens = sum(one.train.steps * one.train.batch_size * _sequence(one) for one in longest.values())
    tuned = f"{plural(len(longest), 'training')}, {tokens / 1e6:.1f} million tokens" if longest else "nothing"
    return [
        f"{first.experiment_name} on {first.model.name}: {plural(len(measuring), 'job')}{beside}; tasks: {tasks}",
        f"to tune: {tuned} (less what {first.paths.runs} holds already)",
        f"records, tables, figures and a page: {Path(first.paths.results) / first.experiment_name / first.model.rung}",
    ]


def _sequence(config: Config) -> int:
    """Tokens of a sequence that is tuned on: a chunk of L' where positions skip, else L'."""
    return config.train.chunk or derived.extension(config).window
