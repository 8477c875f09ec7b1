"""govreport: its settings, and what is refused."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from omegaconf import MISSING

from position_interpolation.machine import distributed
from position_interpolation.settings.bounds import number
from position_interpolation.settings.derived import reach
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task
from position_interpolation.tasks.govreport import rouge
from position_interpolation.text import corpora

LEAD, TUNED, UNTUNED = "lead", "generated", "generated_untuned"  # protocols: who wrote a summary


@dataclass
class GovReportTask(Task):
    """Summaries of long reports, after tuning on pairs of report and summary (Table 6)."""

    shown = ("task.corpus", "task.documents", "task.ids", "task.tune", "data.source")
    kind: str = "govreport"
    corpus: str = MISSING  # pairs that are scored
    training: str = MISSING  # pairs that are tuned on
    documents: int | None = number(None, least=1)  # score the first so many; None scores all
    ids: list[str] | None = None
    # Tokens of a prompt, to which the report is cut; default: 15000 / 16384 of L', as in the paper.
    input_tokens: int | None = number(None, least=1)
    summary_tokens: int | None = number(None, least=1)  # tokens of a summary at most; default: 1000 / 16384 of L'
    tune: bool = True  # false: the extension is not tuned on summaries
    epochs: float = 10
    learning_rate: float = number(least=0)
    batch_size: int = number(least=1)
    temperature: float = 0.5
    top_p: float = 0.95
    bootstrap: int = number(1000, least=0, most=100_000)


class Lengths(NamedTuple):
    """Most tokens of a prompt and of a summary."""

    prompt: int
    summary: int


def summary_lengths(config: Config, task: GovReportTask) -> Lengths:
    """By default the paper's shares of its L' = 16384."""
    window = reach(config)
    prompt = window * 15000 // 16384 if task.input_tokens is None else task.input_tokens
    return Lengths(prompt, window * 1000 // 16384 if task.summary_tokens is None else task.summary_tokens)


def check(config: Config, task: GovReportTask) -> None:
    """Refuse sampling and lengths that make no sense, and sources without summaries."""
    if config.data.source in corpora.TEXT_ALONE:
        raise UsageError(
            "task=govreport needs reports with their summaries, which no installed package brings: set data=hub, or "
            "data=local data.root=<directory>"
        )
    for name in (task.corpus, task.training) if task.tune else (task.corpus,):
        corpora.require(config.data, name)
    for key in ("epochs", "temperature"):
        if not 0 < getattr(task, key) < math.inf:
            raise UsageError(f"task.{key}={getattr(task, key)} makes no sense: expected a number above 0")
    if not 0 < task.top_p <= 1:
        raise UsageError(f"task.top_p={task.top_p} is a share of probability: expected above 0, at most 1")
    if task.tune and config.compute.context_parallel > 1:
        raise UsageError("a pair of report and summary is read by one process: set compute.context_parallel=1")
    if task.tune and task.batch_size % distributed.processes():
        raise UsageError(
            f"task.batch_size={task.batch_size} does not divide among {distributed.processes()} processes: change one"
        )
    prompt, summary = summary_lengths(config, task)
    if summary < 1 or prompt + summary > reach(config):
        raise UsageError(
            f"a prompt of {prompt} and a summary of {summary} tokens do not fit a window of {reach(config)}: "
            "set a longer context, or lower task.input_tokens or task.summary_tokens"
        )
    rouge.require()
