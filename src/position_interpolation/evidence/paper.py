"""The paper's printed numbers as records of a rung of their own, `paper`, and which of them stand beside ours.

Windows correspond by their multiple of L: the paper's 2048, 8192, ... are L, 4 L, ... whatever our L is. The paper
tuned PI for 1000 steps and extrapolation ("FT") for 10000. Its tuned rows stand beside ours, however long ours were
tuned.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from omegaconf import OmegaConf

from position_interpolation.evidence.extensions import Extension, extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import UNREADABLE
from position_interpolation.settings.places import ASSETS

PRINTED = ASSETS / "paper.yaml"
RUNG = "paper"
TUNED = {"none": 0, "pi": 1000, "extrapolation": 10_000}  # steps of the paper's Tables 1, 2, 5 and 6
TITLES = {"pg19": "Table 1", "proof_pile": "Table 2"}
BY_STEPS = {"perplexity": "Table 3", "k_max": "Table 4"}
TUNING_TEXT = "tuning_text"  # a setting of those accuracies in Table 5 whose models were not tuned on the Pile
Found = TypeVar("Found")


@cache
def printed() -> dict[str, Any]:
    """Everything in assets/paper.yaml."""
    numbers: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(PRINTED))  # type: ignore[assignment]
    return numbers


@cache
def records() -> tuple[Record, ...]:
    """Tables 1 to 6."""
    return (*_by_window(), *_by_steps(), *_accuracies(), *_summaries())


def record(source: str, task: str, metric: str, cell: float | str, **given: Any) -> Record:
    """One number of the paper. It is its own interval; nothing is known about the run behind it.

    The cell `>1e3` says only that a perplexity is at least 10^3.
    """
    value, low = (math.inf, UNREADABLE) if isinstance(cell, str) else (cell, cell)
    usual: dict[str, Any] = dict.fromkeys(Record.__dataclass_fields__) | {
        "experiment": source, "rung": RUNG, "task": task, "metric": metric, "value": value, "ci_low": low,
        "ci_high": value, "data": {"name": task, "source": RUNG, "sha256": None, "ids": None}, "seed": 0,
        "stride": printed()["stride"] if metric == "perplexity" else None,
        "signature": f"arXiv:{printed()['paper']['arxiv']}", "versions": {}, "device": "", "dtype": "", "seconds": 0.0,
        "created": "2023-06-28",
    }  # fmt: skip
    return Record(**{**usual, **given})


def size(model: str) -> str:
    """The size of LLaMA that a model is compared with: its own if the paper has that size, else 7B."""
    found = re.search(r"(\d+)b(?![a-z0-9])", model.lower())
    known = {row["size"] for row in printed()["table1_pg19"]}
    own = f"{found.group(1)}B" if found else ""
    return own if own in known else "7B"


def sizes(extensions: Iterable[Extension]) -> str:
    """The sizes of LLaMA that stand beside some extensions, for readers: `7B, 13B`."""
    return ", ".join(dict.fromkeys(size(item.model) for item in extensions))


def window(tokens: int, base_window: int) -> int:
    """The paper's window that is the same multiple of its L = 2048."""
    original: int = printed()["paper"]["original_window"]
    return round(original * tokens / base_window)


def beside(extension: Extension, task: str, metric: str, eval_window: int, by_steps: bool = False) -> Record | None:
    """The paper's number of the same method, factor, W / L, task and metric, for the corresponding size of LLaMA.

    Untuned extensions stand beside untuned ones, tuned ones beside those that the paper tuned in full or, `by_steps`,
    beside what Tables 3 and 4 print after exactly as many steps. None where nothing is printed. Infinity stands for
    what the paper prints as `> 10^3`.
    """
    base = extension.base_window
    key = (size(extension.model), extension.method, window(extension.window, base), window(eval_window, base))
    known = _index().get((*key, task, metric), {})
    if by_steps:
        own = known.get(extension.steps, ())
        return next((one for one in own if one.experiment == BY_STEPS[metric]), None)
    found = at_steps(known, extension.method, None if extension.steps else 0)
    return None if found is None else found[0]


def at_steps(known: Mapping[int | None, Found], method: str, steps: int | None) -> Found | None:
    """What was measured after so many steps; None asks for the paper's number of steps, or else the most there are."""
    if steps is not None or method == "none":
        return known.get(steps or 0)
    tuned, usual = [number for number in known if number], TUNED.get(method)
    return known[usual if usual in tuned else max(tuned)] if tuned else None


def step_counts() -> list[int]:
    """Tuning steps after which Tables 3 and 4 print numbers, ascending."""
    return sorted({one.steps or 0 for one in records() if one.experiment in BY_STEPS.values()})


@cache
def _index() -> dict[tuple[Any, ...], dict[int | None, list[Record]]]:
    """Records by what makes ours correspond to them, then by steps; Tables 1 and 2 come before 3."""
    found: dict[tuple[Any, ...], dict[int | None, list[Record]]] = {}
    for one in records():
        if (item := extension_of(one)) is not None and one.settings is None:
            key = (size(one.model), item.method, item.window, one.eval_window, one.task, one.metric)
            found.setdefault(key, {}).setdefault(one.steps, []).append(one)
    return found


def _extended(size: str, method: str, window: int, steps: int | None = None) -> dict[str, Any]:
    """Fields of a record; as many steps as the paper's, unless they are given."""
    factor = window / printed()["paper"]["original_window"]
    taken = TUNED[method] if steps is None else steps
    return {"model": f"LLaMA-{size}", "method": method, "factor": factor, "window": window, "steps": taken}


def _by_window() -> Iterator[Record]:
    """Tables 1 and 2."""
    for task, table in (("pg19", "table1_pg19"), ("proof_pile", "table2_proof_pile")):
        for row in printed()[table]:
            extended = _extended(row["size"], row["method"], row["window"])
            for at, cell in zip(printed()["eval_windows"], row["ppl"], strict=True):
                if cell is not None:
                    yield record(TITLES[task], task, "perplexity", cell, eval_window=at, **extended)


def _by_steps() -> Iterator[Record]:
    """Tables 3 and 4, at the extended window itself."""
    of_metrics = {"perplexity": ("pg19", "table3_steps", "ppl"), "k_max": ("passkey", "table4_passkey_kmax", "kmax")}
    for metric, (task, table, name) in of_metrics.items():
        for row in printed()[table]["rows"]:
            for steps, cell in zip(printed()[table]["steps"], row[name], strict=True):
                if cell is not None:
                    extended = _extended(row["size"], row["method"], row["window"], steps)
                    yield record(BY_STEPS[metric], task, metric, cell, eval_window=row["window"], **extended)


def _accuracies() -> Iterator[Record]:
    """As shares of one."""
    table, original = printed()["table5_benchmarks"], printed()["paper"]["original_window"]
    for row in table["rows"]:
        given = _extended(row["size"], "none" if row["data"] == "none" else "pi", row["window"])
        given["settings"] = None if row["data"] in ("none", "pile") else {TUNING_TEXT: row["data"]}
        for task, percent in zip(table["tasks"], row["accuracy"], strict=True):
            yield record("Table 5", task, "accuracy", percent / 100, eval_window=original, **given)


def _summaries() -> Iterator[Record]:
    """Table 6: the row of LLaMA with PI has the protocol of ours, the other rows are rivals."""
    for row in printed()["table6_govreport"]["rows"]:
        ours, window = row["model"] == "LLaMA-7B PI", row["window"]
        who = _extended("7B", "pi", window) if ours else {"model": row["model"]}
        for metric, value in zip(("rouge1", "rouge2", "rougeL"), row["rouge"], strict=True):
            protocol = "generated" if ours else "rival"
            yield record("Table 6", "govreport", metric, value, eval_window=window, protocol=protocol, **who)
