"""heads: its settings, and what is refused."""

from dataclasses import dataclass

from omegaconf import MISSING

from position_interpolation.settings.bounds import number
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task
from position_interpolation.text import corpora


@dataclass
class HeadsTask(Task):
    """The h_j of a base's own queries and keys, against the bounds of section 2."""

    shown = ("task.corpus", "task.documents", "task.ids", "data.source")
    kind: str = "heads"
    corpus: str = MISSING
    documents: int | None = number(8, least=1)
    ids: list[str] | None = None
    window: int | None = number(None, least=2)  # positions of a document that run through the base; default: L
    pairs: int = number(64, least=1, most=100_000)  # a query and a key before it, drawn for each head
    # About so many evenly spaced spans of [0, 4 L) are scored; every one if 4 L is no larger.
    spans: int = number(4096, least=16)
    bos: bool = True
    bootstrap: int = number(1000, least=0, most=100_000)


def check(config: Config, task: HeadsTask) -> None:
    """Refuse all but queries and keys of a base inside its own window, with the frequencies of its own theta."""
    corpora.require(config.data, task.corpus)
    base = config.model.window
    if config.method.name != "none":
        raise UsageError(f"task=heads measures the base itself, not method={config.method.name}: set method=none")
    if task.window is not None and task.window > base:
        raise UsageError(f"task.window={task.window} is past the base's own window {base}: expected at most {base}")
