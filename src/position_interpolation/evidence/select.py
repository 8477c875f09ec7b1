"""Which records belong in one table: those of one task on one text, so that rows can be compared."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, TypeVar

from position_interpolation.evidence.extensions import PAPERS, Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural

OF_ALL_WINDOWS = "perplexity_of_all_windows"  # a sampled perplexity with the interval of the windows left out
PERPLEXITIES = ("perplexity", "document_loss", "document_window_loss", OF_ALL_WINDOWS)
# Perplexity of a block of positions, and each document's loss there; `at` is the block's first position.
BLOCK_PERPLEXITY, DOCUMENT_BLOCK_LOSS = "block_perplexity", "document_block_loss"
ROUGES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
DOCUMENT_ROUGES = tuple(f"document_{name}" for name in ROUGES)
SUMMARY_TUNING = ("summary_steps", "summary_epochs")
OF_ONE_DOCUMENT = ("document_loss", "document_window_loss", DOCUMENT_BLOCK_LOSS, *DOCUMENT_ROUGES)
TRAINING_LOSS = "training_loss"  # mean over the steps that end at `at`
Block = tuple[int, int]  # its start, and where the next one starts
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Group:
    """What the rows of one table have in common."""

    task: str
    source: str | None
    stride: int | None
    text: str | None = None  # fingerprint: different documents never share a table
    seed: int | None = None  # where settings are compared under one seed
    length: int | None = None  # tokens of the forward, where positions in it are compared
    rule: str | None = None  # by which passkey answers were judged


def gathered(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by what `key` says of each, keys and items in the order in which they come."""
    found: dict[Key, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def grouped(records: Iterable[Record], *by: str, of: Sequence[str] = ()) -> dict[Group, list[Record]]:
    """Records that may share a table, in the order of rows.jsonl: they agree in task, source, stride, and fields `by`.

    Groups without any of the metrics `of`, which the table shows, are left out.
    """

    def group_of(record: Record) -> Group:
        text, length = record.data.get("sha256"), record.eval_window
        fields: dict[str, Any] = {"text": text, "seed": record.seed, "length": length, "rule": record.protocol}
        return Group(record.task, record.data.get("source"), record.stride, **{name: fields[name] for name in by})

    groups = gathered(records, group_of)
    return {group: rows for group, rows in groups.items() if not of or any(row.metric in of for row in rows)}


def varied(record: Record) -> bool:
    """Whether a record was measured under one of the settings that its experiment compares."""
    return record.settings is not None


def plain(record: Record) -> bool:
    """Whether a record belongs in plain tables, those that compare neither settings nor stopped bases."""
    return not varied(record) and record.base_tokens is None


def perplexities(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of sliding-window perplexity, with the document losses behind them, by text."""
    return grouped((row for row in records if row.metric in PERPLEXITIES and plain(row)), "text", of=["perplexity"])


def under_settings(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of perplexity under settings that are compared, all settings of one text together."""
    rows = (row for row in records if row.metric in PERPLEXITIES and varied(row))
    return grouped(rows, "text", "seed", of=["perplexity"])


def stopped(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of perplexity on bases stopped after so many tokens, all bases and seeds of one text together."""
    rows = (row for row in records if row.metric in PERPLEXITIES and row.base_tokens is not None)
    return grouped(rows, "text", of=["perplexity"])


def positions(records: Iterable[Record], settings: bool = False) -> dict[Group, list[Record]]:
    """Records of perplexity by position, with the document losses behind them, by text and length of the forward.

    They are plain ones, or those under `settings` that are compared, all settings of one text and seed together.
    """
    found = (row for row in records if row.metric in (BLOCK_PERPLEXITY, DOCUMENT_BLOCK_LOSS) if varied(row) == settings)
    return grouped(found, "text", "length", *(["seed"] if settings else []), of=[BLOCK_PERPLEXITY])


def summaries(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of summaries by text, with those that say how their extensions were tuned on pairs."""
    rows = [row for row in records if not varied(row)]
    tuned = [row for row in rows if row.metric in SUMMARY_TUNING]
    scores = (row for row in rows if row.metric in (*ROUGES, *DOCUMENT_ROUGES))
    return {
        group: [*own, *(row for row in tuned if extension_of(row) in set(map(extension_of, own)))]
        for group, own in grouped(scores, "text", of=ROUGES).items()
    }


def heads(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of real heads, by text."""
    return grouped((row for row in records if row.task == "heads" and not varied(row)), "text")


def along(records: Iterable[Record], extension: Extension, metric: str) -> dict[int, Record]:
    """An extension's records of one metric by place (`at`), ascending."""
    found = {
        record.at: record
        for record in records
        if record.metric == metric and record.at is not None and extension_of(record) == extension
    }
    return dict(sorted(found.items()))


def by_factor(records: Iterable[Record]) -> dict[float, list[Record]]:
    """Records by the factor of their extension, ascending, each with those of the base at L and at that factor's L'."""
    rows = list(records)
    windows = {item.factor: (None, item.base_window, item.window) for item in ordered(rows) if item.factor > 1}
    return {
        factor: [row for row in rows if row.factor == factor or (row.factor == 1 and row.eval_window in shown)]
        for factor, shown in sorted(windows.items())
    }


def by_figure(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by figure, each named by the end of its file name: one figure or, where rivals are, one per factor."""
    found = by_factor(records)
    if len(found) < 2 or not has_rivals(records):
        return {"": list(records)}
    return {f"_x{factor:g}": own for factor, own in found.items()}


def has_rivals(records: Iterable[Record]) -> bool:
    """Whether a method that the paper does not have is among these."""
    return any(record.method not in (*PAPERS, None) for record in records)


def blocks(starts: Iterable[int], end: int) -> list[Block]:
    """Blocks that start there: each reaches to the next one, the last to the end."""
    return list(pairwise([*sorted(starts), end]))


def positions_text(start: int, stop: int) -> str:
    """A block for readers, both ends included."""
    return f"{start}-{stop - 1}"


def by_block(records: Iterable[Record], extension: Extension) -> dict[Block, Record]:
    """An extension's perplexity by block of positions, ascending, up to the end of the forward."""
    found = along(records, extension, BLOCK_PERPLEXITY)
    end = next((record.eval_window or 0 for record in found.values()), 0)
    return dict(zip(blocks(found, end), found.values(), strict=True))


def by_distance(
    records: Iterable[Record], extension: Extension, eval_window: int, metric: str = "success"
) -> dict[int, Record]:
    """A number of an extension, in prompts of `eval_window` tokens, by distance k of the key in tokens."""
    return along((record for record in records if record.eval_window == eval_window), extension, metric)


def find(
    records: Iterable[Record],
    extension: Extension,
    metric: str,
    eval_window: int | None = None,
    protocol: str | None = None,
    at: int | None = None,
) -> Record | None:
    """The record of a number, or None if it was not measured.

    Any window or protocol will do where it is None. If `at` is None, the number is the one that has no place.
    """
    for record in records:
        if (
            (record.metric, record.at) == (metric, at)
            and extension_of(record) == extension
            and eval_window in (None, record.eval_window)
            and protocol in (None, record.protocol)
        ):
            return record
    return None


def asked(records: Sequence[Record]) -> list[tuple[Extension, int]]:
    """Every extension in the paper's order, with each length of its passkey prompts."""
    pairs = {(extension_of(record), record.eval_window) for record in records}
    return [pair for pair in product(ordered(records), windows(records)) if pair in pairs]


def windows(records: Iterable[Record]) -> list[int]:
    """Evaluation windows W of some records, ascending, in tokens."""
    return sorted({record.eval_window for record in records if record.eval_window is not None})


def counted(records: Iterable[Record], noun: str = "document") -> str:
    """`12 documents`: the most that any of these numbers rests on."""
    return plural(max((record.n_documents or 0 for record in records), default=0), noun)


def trials(records: Iterable[Record]) -> str:
    """`10 trials`, or `10 to 30 trials` where some numbers rest on more seeds than others."""
    counts = sorted({record.n_documents or 0 for record in records}) or [0]
    return plural(counts[0], "trial") if len(counts) == 1 else f"{counts[0]} to {plural(counts[-1], 'trial')}"


def text(records: Sequence[Record], *more: str) -> str:
    """`pg19 (local text, 12 documents)`: what some records of one group were measured on."""
    facts = (f"{records[0].data.get('source')} text", counted(records), *more)
    return f"{records[0].task} ({', '.join(facts)})"
