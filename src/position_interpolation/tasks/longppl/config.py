"""LongPPL: its settings, the numbers that follow from them, and what is refused."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from position_interpolation.models import checkpoint
from position_interpolation.settings.bounds import number
from position_interpolation.settings.derived import reach
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config, Task
from position_interpolation.text import corpora


@dataclass
class LongPPLTask(Task):
    """Perplexity over key tokens alone (arXiv:2410.23771)."""

    shown = (
        "task.corpus", "task.documents", "task.ids", "task.truncate_factor", "task.evaluator", "task.window",
        "task.short", "task.block", "task.alpha", "task.beta", "data.source",
    )  # fmt: skip
    kind: str = "longppl"
    corpus: str = MISSING
    documents: int | None = number(8, least=1)  # the first so many that fill the long context
    ids: list[str] | None = None
    truncate_factor: int = number(16, least=1)  # keep the first truncate_factor * L tokens of a document
    # Folder of the model that decides which tokens are key. It has the same tokenizer and reads W tokens.
    evaluator: str | None = None
    window: int | None = number(None, least=2)  # W, positions of the long context; default: the context's L'
    short: int | None = number(None, least=1)  # tokens of the short context; default: L
    block: int | None = number(None, least=1)  # tokens that share a short and a long context; default: L / 4
    alpha: float = number(2.0, least=0)  # nats that the long context must gain over the short one
    beta: float = number(-2.0, least=-1000, most=0)  # least log-probability in the long context


@dataclass(frozen=True)
class Contexts:
    """The windows from which a token is predicted."""

    long: int  # W, positions of a long window, BOS included
    short: int  # positions of a short window, those of the block included
    block: int  # stride of both, in tokens


def contexts(config: Config, task: LongPPLTask) -> Contexts:
    """The windows that the settings ask for, in positions."""
    base = config.model.window
    block = task.block or max(1, base // 4)
    return Contexts(task.window or reach(config), (task.short or base) + block, block)


def check(config: Config, task: LongPPLTask) -> None:
    """Refuse a corpus that is not there, contexts that do not fit each other, an evaluator that cannot read them."""
    corpora.require(config.data, task.corpus)
    lengths = contexts(config, task)
    text = task.truncate_factor * config.model.window
    if not lengths.short < lengths.long <= text:
        raise UsageError(
            f"short windows of {lengths.short} tokens, long ones of {lengths.long}, texts of {text}: expected each to "
            "be longer than the one before; set a longer context, or task.short, task.window and task.truncate_factor"
        )
    if task.evaluator is None:
        raise UsageError(
            f"no model says which tokens are key: set task.evaluator=<folder>, one that reads {lengths.long} tokens, "
            "such as an extension that task=export wrote"
        )
    check_evaluator(task.evaluator, lengths.long)


def check_evaluator(place: str, tokens: int) -> None:
    """Refuse a folder without a model, and a model that does not read so many tokens."""
    if not (Path(place) / checkpoint.CONFIG).is_file():
        raise UsageError(f"no model in {place}: expected a folder with config.json; set task.evaluator")
    reads = checkpoint.window("path", place, None)
    if reads < tokens:
        raise UsageError(
            f"task.evaluator={place} was made for {reads} tokens, the long context has {tokens}: choose "
            "a model that reads as many, or lower task.window"
        )
