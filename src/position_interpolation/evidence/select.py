"""Which records belong in one table: those of one task on one text, comparable row by row."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from position_interpolation.evidence import variants
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record

BLOCK = re.compile(r"(?:perplexity|document_loss)_(\d+)_(\d+)")
OF_ALL_WINDOWS = "perplexity_of_all_windows"  # a sampled perplexity with the interval of the windows left out
PERPLEXITIES = ("perplexity", "document_loss", "document_window_loss", OF_ALL_WINDOWS)
ROUGE = re.compile(r"(document_)?rouge(1|2|L|Lsum)")
SUMMARY_TUNING = re.compile(r"summary_(steps|epochs)")
SCORE = re.compile(r"score_median_(\d+)_(\d+)")
LAYER = re.compile(r"error_median_layer_(\d+)")


@dataclass(frozen=True)
class Group:
    """What the rows of one table have in common."""

    task: str
    source: str | None
    fingerprint: str | None  # of the text, so that different documents never share a table
    stride: int | None
    seed: int | None  # None where seeds are compared
    length: int | None = None  # of the forward whose positions are compared
    rule: str | None = None  # that passkey answers were judged by


def perplexities(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of sliding-window perplexity, with the document losses behind them, by text."""
    return grouped(records, lambda record: record.metric in PERPLEXITIES and variants.plain(record))


def compared(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of perplexity whose task carries a setting (`variants`), all settings of one text together."""
    return grouped(records, lambda record: record.metric in PERPLEXITIES and bool(variants.settings_of(record)))


def stopped(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of perplexity on bases stopped after so many tokens, all bases and seeds of one text together."""
    return grouped(
        records,
        lambda record: record.metric in PERPLEXITIES and variants.tokens_of(record.model) is not None,
        by_seed=False,
    )


def positions(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of perplexity by position, with the document losses behind them, by text and length of the forward."""
    return grouped(records, lambda record: BLOCK.fullmatch(record.metric) is not None, by_length=True)


def summaries(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of summaries by text and window; how the extensions were tuned on summaries goes into every group."""
    rows = list(records)
    tuned = [record for record in rows if SUMMARY_TUNING.fullmatch(record.metric)]
    scored = grouped(rows, lambda record: ROUGE.fullmatch(record.metric) is not None, by_length=True)
    return {
        group: [*own, *(record for record in tuned if extension_of(record) in {extension_of(row) for row in own})]
        for group, own in scored.items()
    }


def heads(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Records of real heads, by text."""
    return grouped(records, lambda record: record.task == "heads")


def span_blocks(records: Iterable[Record]) -> list[tuple[int, int]]:
    """(start, stop) of every block of spans whose scores were measured on real heads, ascending."""
    found = (SCORE.fullmatch(record.metric) for record in records)
    return sorted({(int(match.group(1)), int(match.group(2))) for match in found if match is not None})


def layers(records: Iterable[Record]) -> list[int]:
    """Every layer whose interpolation error was measured, ascending."""
    found = (LAYER.fullmatch(record.metric) for record in records)
    return sorted({int(match.group(1)) for match in found if match is not None})


def block(record: Record) -> tuple[int, int]:
    """(start, stop) of the positions that a record of perplexity by position covers."""
    found = BLOCK.fullmatch(record.metric)
    if found is None:
        raise ValueError(f"'{record.metric}' is no metric of perplexity by position")
    return int(found.group(1)), int(found.group(2))


def by_distance(
    records: Iterable[Record], extension: Extension, eval_window: int, metric: str = "success"
) -> dict[int, Record]:
    """A number of an extension, in prompts of `eval_window` tokens, by distance k of the key in tokens."""
    found = {
        record.at: record
        for record in records
        if record.at is not None
        and (record.metric, extension_of(record), record.eval_window) == (metric, extension, eval_window)
    }
    return dict(sorted(found.items()))


def find(
    records: Iterable[Record],
    extension: Extension,
    metric: str,
    eval_window: int | None = None,
    protocol: str | None = None,
) -> Record | None:
    """The record of a number over all places, or None if it was not measured. None for window or protocol takes any."""
    for record in records:
        if (
            (record.metric, record.at) == (metric, None)
            and extension_of(record) == extension
            and eval_window in (None, record.eval_window)
            and protocol in (None, record.protocol)
        ):
            return record
    return None


def asked(records: Sequence[Record]) -> list[tuple[Extension, int]]:
    """Every extension in the paper's order, with each window that its passkey prompts fill."""
    pairs = {(extension_of(record), record.eval_window) for record in records}
    return [
        (extension, window)
        for extension in ordered(records)
        for window in windows(records)
        if (extension, window) in pairs
    ]


def windows(records: Iterable[Record]) -> list[int]:
    """Evaluation windows W of some records, ascending, in tokens."""
    return sorted({record.eval_window for record in records if record.eval_window is not None})


def grouped(
    records: Iterable[Record],
    belongs: Callable[[Record], bool],
    by_text: bool = True,
    by_length: bool = False,
    by_seed: bool = True,
    by_rule: bool = False,
) -> dict[Group, list[Record]]:
    """Groups in the order in which rows.jsonl has them."""
    groups: dict[Group, list[Record]] = {}
    for record in filter(belongs, records):
        text = record.data.get("sha256") if by_text else None
        length = record.eval_window if by_length else None
        seed = record.seed if by_seed else None
        rule = record.protocol if by_rule else None
        task, source = variants.task_of(record), record.data.get("source")
        group = Group(task, source, text, record.stride, seed, length, rule)
        groups.setdefault(group, []).append(record)
    return groups
