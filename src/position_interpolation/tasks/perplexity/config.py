"""Sliding-window perplexity: its settings, the numbers that follow from them, and what is refused."""

from dataclasses import dataclass, field
from typing import Protocol

from omegaconf import MISSING

from position_interpolation.settings import derived
from position_interpolation.settings.bounds import number, numbers
from position_interpolation.settings.checks import known
from position_interpolation.settings.derived import evaluation_windows, reach
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task
from position_interpolation.tasks.perplexity.windows import PROTOCOLS
from position_interpolation.text import corpora


@dataclass
class PerplexityTask(Task):
    """Sliding-window perplexity (section 3.2)."""

    shown = (
        "task.corpus", "task.documents", "task.ids", "task.window_factors", "task.windows", "task.stride",
        "task.truncate_factor", "task.minimum_factor", "task.sample", "task.bos", "task.protocols", "data.source",
    )  # fmt: skip
    kind: str = "perplexity"
    corpus: str = MISSING
    documents: int | None = number(None, least=1)  # the first so many that are long enough
    ids: list[str] | None = None
    window_factors: list[float] = numbers(1, 2, 4, 8, 16, least=0)  # W / L
    windows: list[int] | None = None  # W in tokens; wins over window_factors
    stride: int | None = number(None, least=1)  # S in tokens; default L / 8
    truncate_factor: int | None = number(None, least=1)  # keep the first truncate_factor * L tokens of a document
    minimum_factor: int | None = number(None, least=0)  # leave out documents shorter than minimum_factor * L tokens
    # Draw about so many windows of all documents; None runs every window (tasks/perplexity/sampling.py).
    sample: int | None = number(None, least=1)
    bos: bool = True
    protocols: list[str] = field(default_factory=lambda: ["token", "window", "document"])
    bootstrap: int = number(1000, least=0, most=100_000)


class Windows(derived.Windows, Protocol):
    """Settings that name evaluation windows and a stride: of this task, and of a plan for it."""

    stride: int | None


def stride(config: Config, task: Windows) -> int:
    """S in tokens; by default L / 8, the paper's 256 for its 2048."""
    return config.model.window // 8 if task.stride is None else task.stride


def multiple(config: Config, factor: int | None) -> int | None:
    """`factor` windows in tokens; None stays None."""
    return None if factor is None else factor * config.model.window


def check_windows(config: Config, task: Windows) -> None:
    """Refuse evaluation windows that do not fit the base's window, and strides that do not fit them."""
    base, windows = config.model.window, evaluation_windows(config, task)
    if not windows:
        raise UsageError(
            f"no evaluation window fits into {reach(config)} tokens: lower task.window_factors or set a longer context"
        )
    odd = [window for window in windows if window < 2 or (window % base and base % window)]
    if odd:
        raise UsageError(
            f"evaluation windows {odd}: expected multiples or whole parts of the base's window {base}; "
            "correct task.windows or task.window_factors"
        )
    if not 0 < stride(config, task) < min(windows):
        raise UsageError(f"task.stride={stride(config, task)} must be at least 1 and below every window {windows}")


def check(config: Config, task: PerplexityTask) -> None:
    """Refuse a corpus, windows, cuts and protocols that cannot be measured."""
    corpora.require(config.data, task.corpus)
    check_windows(config, task)
    windows = evaluation_windows(config, task)
    cut = multiple(config, task.truncate_factor)
    if cut is not None and cut + 1 < max(windows):
        raise UsageError(
            f"documents cut to {cut} tokens fill no window of {max(windows)}: raise task.truncate_factor or lower "
            "task.window_factors"
        )
    if not task.protocols:
        raise UsageError(f"task.protocols is empty: choose from {', '.join(PROTOCOLS)}")
    for protocol in task.protocols:
        known("task.protocols", protocol, PROTOCOLS)
    if task.sample is not None and "overlapping" in task.protocols:
        raise UsageError("task.sample leaves windows out, protocol overlapping scores every one: drop one of the two")
