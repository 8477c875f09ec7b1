"""Records: one measured number with everything needed to trust it, and the signatures that name runs."""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_type_hints

from position_interpolation.evidence import lines
from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import HOME

ROWS = "rows.jsonl"  # in results/<experiment>/<rung>/
LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "numpy")
# Fields that say what was measured; records that agree on these, the metric, its place and the text measure one number.
MEASUREMENT = (
    "experiment", "rung", "model", "base_tokens", "method", "factor", "window", "steps", "task", "settings",
    "eval_window", "stride", "protocol", "seed",
)  # fmt: skip
OPTIONAL = {"at": None, "settings": None, "base_tokens": None}  # rows written before these fields lack them
BY_BASE_TOKENS = "base_tokens"  # the experiment that compares bases by the tokens they have seen
NUMBERED = re.compile(r"_\d+(_|$)")  # a number that a metric's name holds


@dataclass(frozen=True)
class Record:
    """One line of rows.jsonl. None where a field does not apply.

    A name is only a name. The place where a metric was taken, the settings that an experiment varies and the tokens
    that a base has seen are fields, so that no reader has to take a name apart.
    """

    experiment: str
    rung: str
    model: str
    weights_sha256: str | None
    method: str | None
    factor: float | None
    window: int | None  # L', tokens
    steps: int | None
    task: str
    eval_window: int | None
    stride: int | None
    protocol: str | None
    metric: str
    at: int | None = field(default=None, kw_only=True)  # where it was taken: a distance, a step, a layer, a position
    value: float
    ci_low: float | None
    ci_high: float | None
    n_documents: int | None
    n_tokens: int | None
    data: dict[str, Any]  # name, source, sha256, ids
    seed: int | None  # None of a number pooled over seeds, which no file holds
    signature: str
    commit: str | None
    versions: dict[str, str]
    device: str
    dtype: str
    seconds: float
    settings: dict[str, Any] | None = None  # values of the configuration's keys that the experiment varies
    base_tokens: int | None = None  # that the base has seen, where bases are compared by them
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def __post_init__(self) -> None:
        """Refuse a record whose names hold what a field is for: older versions wrote such rows.

        Raises:
            UsageError: for the first such name.
        """
        if NUMBERED.search(self.metric):
            raise UsageError(f"metric '{self.metric}' holds a number, which the field at is for")
        if "@" in self.task:
            raise UsageError(f"task '{self.task}' holds settings, which the field settings is for")
        if self.experiment == BY_BASE_TOKENS and self.base_tokens is None:
            raise UsageError(f"model '{self.model}' has no base_tokens, by which this experiment compares bases")

    @property
    def identity(self) -> str:
        """What this record measures, whatever came out."""
        return json.dumps([self.metric, self.at, self.measurement, self.data.get("ids")])

    @property
    def measurement(self) -> str:
        """What this record was measured with and on: its identity without metric, place and single document."""
        what = {name: getattr(self, name) for name in MEASUREMENT}
        text = self.data.get("sha256") if self.data.get("ids") else None  # generated prompts have no documents
        return json.dumps([what, self.data.get("name"), self.data.get("source"), text], sort_keys=True)


def signature(parts: dict[str, Any]) -> str:
    """Name of a run: a hash of everything that can change its numbers."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def read(path: Path) -> list[Record]:
    """The records of one rows.jsonl; none if there is no such file.

    Raises:
        UsageError: a line is no record.
    """
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): expected JSON lines; repair or remove it") from error
    hints, records = get_type_hints(Record), []
    # Other ends of a line that Unicode knows may stand in an id.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
        try:
            records.append(Record(**lines.parsed(line, hints, OPTIONAL)))
        except ValueError as error:
            raise UsageError(f"{path}:{number} is no record ({error}): remove or repair the line") from error
    return records


def write(path: Path, records: Iterable[Record]) -> None:
    """Write all records of a file in one step."""
    files.write_text(path, "".join(json.dumps(asdict(record), allow_nan=False) + "\n" for record in records))


def merge(path: Path, new: list[Record]) -> int:
    """Put new records into a file: each takes the place of an older measurement of the same number.

    Older rows of the same measurement that the new one does not repeat, such as distances of another grid, go too.

    Returns:
        How many rows went that were measured under another signature.
    """
    coming = {record.identity: record for record in new}
    signatures = {record.measurement: record.signature for record in new}
    kept, other = [], 0
    with files.locked(path):  # jobs of one experiment may run side by side
        for record in read(path):
            changed = signatures.get(record.measurement, record.signature) != record.signature
            other += changed
            if record.identity in coming:
                kept.append(coming.pop(record.identity))
            elif not changed:
                kept.append(record)
        write(path, [*kept, *coming.values()])
    return other


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that compute numbers."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def commit() -> str | None:
    """The commit of the code, `-dirty` if src/ or conf/ differ from it; None outside a checkout."""
    root = HOME

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:  # installed inside some other project
            return None
        changed = git("status", "--porcelain", "--", "src", "conf", "experiments")
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
