"""Records: each is one measured number with everything needed to trust it. Signatures: the names of runs."""

import hashlib
import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_type_hints

from position_interpolation.evidence import lines
from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import HOME

ROWS = "rows.jsonl"  # in results/<experiment>/<rung>/
LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "numpy")
# Fields that say what was measured. Records that agree on these, the metric, its place and the text are of one number.
MEASUREMENT = (
    "experiment", "rung", "model", "base_tokens", "method", "factor", "window", "steps", "task", "settings",
    "eval_window", "stride", "protocol", "seed",
)  # fmt: skip
BY_BASE_TOKENS = "base_tokens"  # the experiment that compares bases by the tokens they have seen


@dataclass(frozen=True)
class Record:
    """One line of rows.jsonl. A field that does not apply is None.

    Names hold no values: the place where a metric was taken, the settings that an experiment varies and the tokens that
    a base has seen are fields of their own, so no reader has to parse a name.
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
    seed: int | None  # None: pooled over seeds, which is never written to a file
    signature: str
    commit: str | None
    versions: dict[str, str]
    device: str
    dtype: str
    seconds: float
    settings: dict[str, Any] | None = None  # values of the configuration keys that the experiment varies
    base_tokens: int | None = None  # tokens that the base has seen, where bases are compared by them
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def document(self) -> str:
        """Id of the document, in a record of a single one."""
        return str(self.data["ids"][0])

    @property
    def identity(self) -> str:
        """Which number this is: the same for every measurement of it."""
        return json.dumps([self.metric, self.at, self.measurement, self.data.get("ids")])

    @property
    def measurement(self) -> str:
        """What was measured, with what and on what: the identity without metric, place and single document."""
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
    known: dict[str, tuple[int, float]] = {}  # of every number the line that holds it, and its value
    # Not splitlines: an id may hold one of Unicode's other line ends.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
        try:
            record = Record(**lines.parsed(line, hints))
            first, value = known.setdefault(record.identity, (number, record.value))
            if value != record.value:
                raise ValueError(f"line {first} has another value of the same number")
            records.append(record)
        except ValueError as error:
            raise UsageError(f"{path}:{number} is no record ({error}): remove or repair the line") from error
    return records


def write(path: Path, records: Iterable[Record]) -> None:
    """Replace a file by these records in one step."""
    files.write_text(path, "".join(json.dumps(asdict(record), allow_nan=False) + "\n" for record in records))


def merge(path: Path, new: list[Record]) -> int:
    """Put new records into a file, each in the place of an older measurement of the same number.

    Rows of the same measurement under another signature go as well, even if the new one does not repeat them, such as
    distances of another grid. How many these were is returned.
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
    return {name: version(name) for name in LIBRARIES}


@cache
def commit() -> str | None:
    """The commit of the code, `-dirty` if src/ or conf/ differ from it; None outside a checkout."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(HOME), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != HOME:  # installed inside some other project
            return None
        changed = git("status", "--porcelain", "--", "src", "conf", "experiments")
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
