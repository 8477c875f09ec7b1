"""What a line of rows.jsonl may hold: fields of the right type, numbers within bounds, names that can name files."""

import json
import re
import types
from typing import Any, get_args, get_origin

NAMES = ("experiment", "rung", "model", "task")  # of folders and files
NAME = re.compile(r"\w[\w.+@=-]*")
EXTENSION = ("method", "factor", "window", "steps")  # all of them or, in records of theory, none
LEAST = {
    "factor": 1, "window": 1, "steps": 0, "eval_window": 1, "stride": 1, "at": 0, "n_documents": 1, "n_tokens": 0,
    "base_tokens": 1,
}  # fmt: skip
MOST = 1e15  # largest value of the fields in LEAST
LARGEST = 1e300  # largest number of any other field: numbers are multiplied later
RATE = "train.learning_rate"  # the setting by which sweeps are ordered
LARGEST_LOSS = 700.0  # nats: the perplexity of a larger loss does not fit a float


def parsed(line: str, hints: dict[str, Any]) -> dict[str, Any]:
    """The fields of one line of JSON, with the types of `hints`.

    Raises:
        ValueError: what is wrong, in a few words.
    """
    try:
        row = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")
    if missing := [name for name in hints if name not in row]:
        raise ValueError(f"it has no {', '.join(missing)}")
    for name, hint in hints.items():
        if not _is(row[name], hint):
            raise ValueError(f"its {name} is {_short(row[name])}, not {getattr(hint, '__name__', hint)}")
        if isinstance(row[name], int | float) and not abs(row[name]) < LARGEST:
            raise ValueError(f"its {name} is {_short(row[name])}")
        if name in LEAST and row[name] is not None and not LEAST[name] <= row[name] <= MOST:
            raise ValueError(f"its {name} is {_short(row[name])}, not from {LEAST[name]} to {MOST:.0e}")
        if name in NAMES and not NAME.fullmatch(row[name]):
            raise ValueError(f"its {name} is {_short(row[name])}, which can name no file")
    _check_meaning(row)
    json.dumps(row, ensure_ascii=False, allow_nan=False).encode()  # half of a surrogate pair can be written to no page
    return {name: row[name] for name in hints}


def _check_meaning(row: dict[str, Any]) -> None:
    """Refuse fields that contradict each other."""
    value, metric, data = row["value"], row["metric"], row["data"]
    extended = [row[name] is not None for name in EXTENSION]
    if not all(extended) and (any(extended) or "perplexity" in metric):
        raise ValueError(f"it has not all of {', '.join(EXTENSION)}")
    if all(extended) and row["window"] < row["factor"]:
        raise ValueError(f"its window {row['window']} is shorter than its factor {row['factor']}, and L no whole token")
    for key, setting in (row["settings"] or {}).items():
        if not isinstance(setting, int | float if key == RATE else str | int | float | None):
            raise ValueError(f"its setting {key} is {_short(setting)}")
    ends = [end for end in (row["ci_low"], row["ci_high"]) if end is not None]
    if ends != sorted(ends):
        raise ValueError("its ci_low is above its ci_high")
    if "perplexity" in metric and not all(number > 0 for number in (value, *ends)):
        raise ValueError("its perplexity is not above 0")
    if metric == "perplexity" and row["protocol"] is None:
        raise ValueError("its perplexity has no protocol")
    if metric.startswith("document_") and (not data.get("ids") or abs(value) > LARGEST_LOSS):
        raise ValueError(f"its {metric} is {value} of document {data.get('ids')}")
    if not all(isinstance(data.get(name), str) for name in ("name", "source")):
        raise ValueError("name and source of its data are not text")
    if not isinstance(data.get("sha256"), str | None):
        raise ValueError("sha256 of its data is not text")
    if not isinstance(data.get("ids"), list | None) or not all(isinstance(one, str) for one in data.get("ids") or []):
        raise ValueError("ids of its data are no list of texts")


def _is(value: Any, hint: Any) -> bool:
    """Whether a value read from JSON is of a field's type; a whole number is taken where a float is expected."""
    kinds = {get_origin(kind) or kind for kind in (get_args(hint) if isinstance(hint, types.UnionType) else (hint,))}
    return type(value) in kinds | ({int} if float in kinds else set())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
