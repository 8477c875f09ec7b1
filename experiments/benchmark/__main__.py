"""`python -m experiments.benchmark [parts=[...]] [peers=<folder>] [rounds=3]`: measure, keep, write the page.

Each row is kept as soon as it is measured, with its date and the code's commit, and replaces itself alone: parts can be
measured one by one, and a model without the other. A machine has a file of its own in the folder of results; the page
there shows all of them side by side.
"""

import json
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from position_interpolation.evidence import records
from position_interpolation.machine import compute, files
from position_interpolation.settings.errors import UsageError

from . import costs_page, inputs, machine, memory, page, passkey, peers, perplexity, trials, tuning

Row = dict[str, Any]
PARTS = ("machine", "perplexity", "passkey", "tuning", "growth", "memory", "trials")


@dataclass
class Settings:
    """What to measure."""

    parts: list[str] = field(default_factory=lambda: list(PARTS))
    models: list[str] = field(default_factory=lambda: ["tiny", "smollm2"])
    peers: str | None = None  # a folder with clones of the peers; without it the documented recipes alone
    rounds: int = 3
    missing: bool = False  # leave out comparisons that the machine's file has, to go on where a benchmark was killed
    cache: str = ".cache"
    results: str = "runs/benchmark"  # committed pages lie in results/


def measured(part: str, settings: Settings) -> Iterator[list[Row]]:
    """One part's rows as JSON has them, those of one measurement together."""
    cache, rounds, models = Path(settings.cache), settings.rounds, settings.models
    if part == "machine":
        rates = machine.peaks(rounds).items()
        products = [{"what": costs_page.PRODUCT, "precision": precision, "rate": rate} for precision, rate in rates]
        yield [*products, {"what": costs_page.COPY, "rate": machine.bandwidth(rounds)}]
        for share in machine.profiles(cache, models):
            yield [{**asdict(share), "rest": share.rest}]
    elif part in ("growth", "memory", "trials"):
        parts = {
            "growth": partial(machine.growth, cache, rounds), "memory": partial(memory.measure, cache),
            "trials": partial(trials.measure, cache, rounds, models),
        }  # fmt: skip
        for row in parts[part]():
            yield [row]
    else:
        folder = None if settings.peers is None else Path(settings.peers)
        rows = before(own_file(settings.results)).get(part, []) if settings.missing else []
        known = {(row["what"], row["precision"], row["side"]) for row in rows}
        measure = {"perplexity": perplexity.measure, "passkey": passkey.measure, "tuning": tuning.measure}[part]
        for found in measure(folder, cache, rounds, models, known):
            yield [row.data() for row in found]


def conditions() -> dict[str, str]:
    """Where and with what a part was measured: one file does not mix them."""
    versions = {name: metadata.version(name) for name in ("torch", "transformers")}
    return {"machine": inputs.machine(), "python": platform.python_version(), **versions}


def today() -> str:
    """When, and by which code."""
    return f"{date.today().isoformat()} at {records.commit() or 'no commit'}"


def kept(before: list[Row], found: list[Row]) -> list[Row]:
    """What was found, and the rows measured before that it does not replace."""
    again = {page.named(row): row for row in found}
    return [again.pop(page.named(row), row) for row in before] + list(again.values())


def own_file(results: str) -> Path:
    """This machine's measurements."""
    return Path(results) / f"{re.sub('[^a-z0-9]+', '_', inputs.machine().lower())}.json"


def main(arguments: list[str]) -> None:
    """Measure the parts asked for, one after the other."""
    if {"-h", "--help"} & set(arguments):
        print(f"{__doc__}\nWhat can be set, and what it is otherwise:\n\n{OmegaConf.to_yaml(Settings)}")
        return
    try:
        settings: Any = OmegaConf.to_object(
            OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.from_cli(arguments))
        )
    except (OmegaConfBaseException, YAMLError) as error:
        wrong = str(error).splitlines()[0]
        raise UsageError(f"{wrong}: expected settings such as parts=[tuning] models=[tiny] rounds=3") from error
    check(settings)
    compute.keep_freed_memory()  # as a run does; peers have processes of their own
    path, now = own_file(settings.results), today()
    for part in settings.parts:
        nothing = True
        for rows in filter(None, measured(part, settings)):
            nothing = False
            add(path, part, [{**row, "measured": now} for row in rows])
        if nothing:
            print(f"{part}: nothing measured; passkey needs smollm2 and peers=<folder>")
    if path.is_file():
        print(f"Page and figures: {settings.results}/README.md")


def add(path: Path, part: str, rows: list[Row]) -> None:
    """Keep a part's rows beside those of before, and render the page; other processes wait meanwhile."""
    with files.locked(path):
        everything = {"conditions": conditions(), **before(path)}
        everything[part] = kept(everything.get(part, []), rows)
        files.write_text(path, json.dumps(everything, indent=1) + "\n")
        page.write(path.parent)


def check(settings: Settings) -> None:
    """Refuse what cannot be measured or written, before anything is measured.

    Raises:
        UsageError: with one line on what was wrong.
    """
    unknown = set(settings.parts) - set(PARTS) | set(settings.models) - {"tiny", "smollm2"}
    if unknown:
        raise UsageError(f"{', '.join(sorted(unknown))}: parts are {', '.join(PARTS)}, models tiny and smollm2")
    if not settings.parts or not settings.models:
        raise UsageError("parts and models: expected at least one of each")
    if settings.rounds < 1:
        raise UsageError(f"rounds={settings.rounds}: expected at least 1")
    if Path(settings.cache).is_file():
        raise UsageError(f"cache={settings.cache} is a file: expected a folder")
    if settings.peers is not None:
        if not Path(settings.peers).is_dir():
            raise UsageError(
                f"peers={settings.peers} is no folder: expected clones as experiments/benchmark/README.md says"
            )
        for part in settings.parts:
            peers.check(Path(settings.peers), part)
    try:
        Path(settings.results).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"results={settings.results} cannot be made: {error.strerror}") from error
    path = own_file(settings.results)
    nothing = not list(path.parent.glob("*.json"))
    if nothing and (path.parent / "README.md").exists():
        raise UsageError(
            f"results={settings.results} has a page of something else, which ours would replace: name another"
        )
    before(path)
    if not nothing:
        try:
            page.write(path.parent)  # what cannot be shown now could not be with more rows
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _damaged(path.parent) from error


def before(path: Path) -> dict[str, Any]:
    """What was measured before: the conditions, and the rows of each part.

    Raises:
        UsageError: the file is damaged, or of other versions.
    """
    if not path.exists():
        return {}
    try:
        found: Any = json.loads(path.read_text())
    except (ValueError, OSError):
        found = None
    known = isinstance(found, dict) and "conditions" in found
    if not known or not all(isinstance(rows, list) for part, rows in found.items() if part in PARTS):
        raise _damaged(path)
    if found["conditions"] != conditions():
        raise UsageError(
            f"{path} was measured with other versions, which one file does not mix: "
            "name another folder, results=runs/<name>"
        )
    return dict(found)


def _damaged(path: Path) -> UsageError:
    return UsageError(f"{path} is damaged or from an older version: expected a benchmark's measurements; move it away")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UsageError as error:
        sys.exit(f"error: {error}")
