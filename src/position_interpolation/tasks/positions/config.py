"""positions: its settings, and what is refused."""

from dataclasses import dataclass

from omegaconf import MISSING

from position_interpolation.settings.bounds import number
from position_interpolation.settings.schema import Config, Task
from position_interpolation.text import corpora


@dataclass
class PositionsTask(Task):
    """Perplexity by position inside one long forward: where a model leaves what it was trained on."""

    shown = ("task.corpus", "task.documents", "task.ids", "task.window", "task.bos", "data.source")
    kind: str = "positions"
    corpus: str = MISSING
    documents: int | None = number(1, least=1)
    ids: list[str] | None = None
    window: int | None = number(None, least=2)  # positions of the forward; default: the context's L'
    block: int | None = number(None, least=2)  # positions of a block, a point of the curve; default: L / 4
    bos: bool = True


def check(config: Config, task: PositionsTask) -> None:
    """Refuse a corpus that is not there."""
    corpora.require(config.data, task.corpus)
