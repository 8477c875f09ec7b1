"""The paper's printed numbers, looked up by what corresponds to one of ours.

A window corresponds by its multiple of L: the paper's 2048, 8192, ... are L, 4 L, ... whatever our L is. The
paper tuned PI for 1000 steps and extrapolation ("FT") for 10000; its tuned rows stand beside ours whatever
our number of steps.
"""

import math
import re
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.words import BEYOND
from position_interpolation.settings.places import ASSETS

PRINTED = ASSETS / "paper.yaml"
TUNED = {"pi": 1000, "extrapolation": 10_000}  # steps of the paper's tuned rows
METHODS = {"none": "none", "extrapolation": "ft", "pi": "pi"}
TABLES = {"pg19": "table1_pg19", "proof_pile": "table2_proof_pile"}
TITLES = {"pg19": "Table 1", "proof_pile": "Table 2"}


@cache
def printed() -> dict[str, Any]:
    """Everything in assets/paper.yaml."""
    numbers: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(PRINTED))  # type: ignore[assignment]
    return numbers


def size(model: str) -> str:
    """The size of LLaMA that a model is compared with: its own if the paper has it, else 7B."""
    found = re.search(r"(\d+)b(?![a-z0-9])", model.lower())
    known = {row["size"] for row in printed()["table1_pg19"]}
    own = f"{found.group(1)}B" if found else ""
    return own if own in known else "7B"


def window(tokens: int, base_window: int) -> int:
    """The paper's window that is the same multiple of its L = 2048."""
    original: int = printed()["paper"]["original_window"]
    return round(original * tokens / base_window)


def perplexity(extension: Extension, task: str, eval_window: int) -> float | None:
    """The perplexity printed in Tables 1 to 3 for the corresponding extension and window.

    Returns:
        None where nothing is printed; infinity where `> 10^3` is.
    """
    if task not in TABLES or extension.control:
        return None
    wanted, column = (
        window(extension.window, extension.base_window),
        window(eval_window, extension.base_window),
    )
    if extension.method == "pi" and extension.steps == 0:
        return _untuned(wanted) if task == "pg19" and column == wanted else None
    if column not in printed()["eval_windows"]:
        return None
    for row in printed()[TABLES[task]]:
        if _is(row, extension, wanted):
            return _number(row["ppl"][printed()["eval_windows"].index(column)])
    return None


def text(value: float) -> str:
    """A perplexity as the paper prints it."""
    return BEYOND if math.isinf(value) else f"{value:.2f}"


def longest_passkey(extension: Extension) -> tuple[int, int] | None:
    """(k_max, L') of Table 4 after the last tuning step it prints; None where nothing is printed."""
    if extension.control or extension.steps == 0:
        return None
    wanted = window(extension.window, extension.base_window)
    for row in printed()["table4_passkey_kmax"]["rows"]:
        if _is(row, extension, wanted):
            return [longest for longest in row["kmax"] if longest is not None][-1], wanted
    return None


def accuracy(extension: Extension, task: str) -> float | None:
    """The accuracy that Table 5 prints for the corresponding extension, as a share of one; PI tuned on the Pile."""
    table = printed()["table5_benchmarks"]
    if (
        extension.method not in ("none", "pi")
        or extension.control
        or (extension.method == "pi" and not extension.steps)
    ):
        return None
    text = "none" if extension.method == "none" else "pile"
    wanted = (size(extension.model), window(extension.window, extension.base_window), text)
    for row in table["rows"]:
        if (row["size"], row["window"], row["data"]) == wanted:
            return float(row["accuracy"][table["tasks"].index(task)]) / 100
    return None


def step_counts() -> list[int]:
    """Tuning steps after which Tables 3 and 4 print numbers, ascending."""
    found: set[int] = {*printed()["table3_steps"]["steps"], *printed()["table4_passkey_kmax"]["steps"]}
    return sorted(found)


def perplexity_after(extension: Extension, task: str) -> float | None:
    """Table 3: perplexity of PI at its own window after the extension's steps (PG-19, 7B); None if not printed."""
    counts = printed()["table3_steps"]["steps"]
    if (task, extension.method) != ("pg19", "pi") or extension.steps not in counts:
        return None
    wanted = window(extension.window, extension.base_window)
    for row in printed()["table3_steps"]["rows"]:
        if row["window"] == wanted:
            return _number(row["ppl"][counts.index(extension.steps)])
    return None


def passkey_after(extension: Extension) -> float | None:
    """Table 4: k_max after the extension's steps, in the paper's tokens; None if not printed."""
    counts = printed()["table4_passkey_kmax"]["steps"]
    if extension.control or extension.steps not in counts:
        return None
    wanted = window(extension.window, extension.base_window)
    for row in printed()["table4_passkey_kmax"]["rows"]:
        if _is(row, extension, wanted):
            return _number(row["kmax"][counts.index(extension.steps)])
    return None


def _is(row: dict[str, Any], extension: Extension, wanted: int) -> bool:
    method = METHODS.get(extension.method)
    return (row["size"], row["window"], row["method"]) == (size(extension.model), wanted, method)


def _untuned(wanted: int) -> float | None:
    """Table 3 at step 0: PI at its own window before any tuning, 7B."""
    for row in printed()["table3_steps"]["rows"]:
        if row["window"] == wanted:
            return float(row["ppl"][0])
    return None


def _number(cell: float | str | None) -> float | None:
    """A printed cell; `>1e3` is all the paper says of it."""
    if isinstance(cell, str):
        return math.inf
    return cell
