"""What a command line will do, in a few lines before it begins."""

from collections.abc import Sequence

from position_interpolation.evidence.words import plural
from position_interpolation.settings import derived
from position_interpolation.settings.schema import Config
from position_interpolation.tasks.registry import TASKS


def opening(configs: Sequence[Config], at_a_time: int, searched: bool = False) -> list[str]:
    """What is measured, what is tuned for it at most (earlier runs are reused), and where things go.

    Of a search, whose jobs a sweeper proposes, `configs` are the ends of the intervals.
    """
    measuring = [config for config in configs if config.task.kind in TASKS]
    if not measuring:
        return []
    first = measuring[0]
    tasks = ", ".join(dict.fromkeys(config.task.name for config in measuring))
    jobs = "a search" if searched else plural(len(measuring), "job")
    beside = f", {min(at_a_time, len(measuring))} at a time" if at_a_time > 1 else ""
    tokens: dict[str, int] = {}  # of each training, in the job that asks for the most steps
    for config in measuring:
        if derived.treatment(config).steps:
            key = derived.training(config)
            tokens[key] = max(tokens.get(key, 0), derived.tuned_tokens(config))
    count = f"{plural(len(tokens), 'training')}, {sum(tokens.values()) / 1e6:.1f} million tokens"
    tuned = f"{count} (less what {first.paths.runs} holds already)" if tokens else "nothing"
    return [
        f"{first.experiment_name} on {first.model.name}: {jobs}{beside}; tasks: {tasks}",
        f"to tune: {tuned}",
        f"records, tables, figures and a page: {derived.results_folder(first)}",
    ]
