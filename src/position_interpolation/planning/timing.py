"""How long a run would take on this machine: some steps of its tuning and a forward of L' tokens, timed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from position_interpolation.evidence.words import plural
from position_interpolation.machine import distributed
from position_interpolation.models.scoring import scored_losses
from position_interpolation.planning.config import TimingTask
from position_interpolation.settings.derived import reach, treatment
from position_interpolation.settings.schema import Config
from position_interpolation.tuning.extension import Prepared, prepare

WARM = 64  # tokens of a forward that nobody times: the first one is slower


def time_run(config: Config) -> None:
    """Print what a step and a forward take, and what all steps and `task.forwards` forwards come to."""
    task, steps = config.task, treatment(config).steps
    assert isinstance(task, TimingTask)
    ended: list[float] = []  # when each step ended

    def note(told: dict[str, float]) -> None:
        if "train/loss" in told:  # the end of all tuning is told as well, without a loss
            ended.append(perf_counter())

    with _folder(Path(config.paths.runs)) as runs:
        # One step more than is timed: the first one is slower. And no checkpoint but the last, which is removed again.
        # From the base, as a checkpoint to go on from may lie past these few steps.
        count = task.steps + 1
        train = replace(config.train, steps=count, save_every=count, log_every=1, checkpoints=[], resume_from=None)
        short = replace(config, train=train, paths=replace(config.paths, runs=str(runs)))
        with distributed.first_alone():
            prepared = prepare(short if steps else config, note)
        forward = _forward(prepared, reach(config))
    step = median(after - before for before, after in pairwise(ended)) if steps else 0.0
    lines = [f"a forward of {reach(config)} tokens: {duration(forward)}"]
    if steps:
        lines.insert(0, f"a step of tuning: {duration(step)}, {plural(steps, 'step')}: {duration(steps * step)}")
    if task.forwards:
        lines.append(f"with {task.forwards} such forwards: about {duration(steps * step + task.forwards * forward)}")
    if distributed.is_first():
        print("\n".join(lines), flush=True)


def duration(seconds: float) -> str:
    """`0.52 seconds`, `1.0 seconds`, `34 seconds`, `12 minutes` or `2.5 hours`."""
    for unit, size in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{1 if unit == 'hours' else 0}f} {unit}"
    return f"{seconds:.0f} seconds" if seconds >= 9.95 else f"{seconds:#.2g} seconds"  # which would say `10.` of 9.96


@contextmanager
def _folder(runs: Path) -> Iterator[Path]:
    """A folder in `runs` that all processes share, and that is removed in the end."""
    found = Path(distributed.agreed(lambda: tempfile.mkdtemp(prefix="timing-", dir=runs)))
    try:
        yield found
    finally:
        if distributed.is_first():
            shutil.rmtree(found, ignore_errors=True)


def _forward(prepared: Prepared, tokens: int) -> float:
    """Seconds of the forward of one sequence, every token scored."""
    model = prepared.model  # tuned first, if need be
    ids = torch.randint(model.config.vocab_size, (1, tokens + 1), device=model.device)
    # Compiled layers are compiled again for another length.
    _read(model, ids if prepared.config.compute.compile else ids[:, : WARM + 1])
    began = perf_counter()
    _read(model, ids)
    return perf_counter() - began


@torch.inference_mode()
def _read(model: object, ids: torch.Tensor) -> None:
    scored_losses(model, ids, ids.shape[1] - 1).sum().item()  # waits for a GPU to have computed it
