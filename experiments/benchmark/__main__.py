"""`python -m experiments.benchmark [parts=[...]] [peers=<folder>] [rounds=3]`: measure, keep, write the page.

Each part and each comparison is kept in runs/benchmark/measured.json as soon as it is measured: parts can be measured
one by one, and a model's comparisons without another's.
"""

import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from position_interpolation import compute, files, records
from position_interpolation.errors import UsageError

from . import inputs, machine, memory, page, passkey, peers, perplexity, trials, tuning

COMPARISONS = ("perplexity", "passkey", "tuning", "trials")
PARTS = ("machine", "perplexity", "passkey", "tuning", "growth", "memory", "trials")


@dataclass
class Settings:
    """What to measure."""

    parts: list[str] = field(default_factory=lambda: list(PARTS))
    models: list[str] = field(default_factory=lambda: ["tiny", "smollm2"])
    peers: str | None = None  # a folder with clones of the peers; without it the documented recipes alone
    rounds: int = 3
    cache: str = ".cache"
    results: str = "runs/benchmark"  # committed pages lie in results/


def measured(part: str, settings: Settings) -> Iterator[Any]:
    """One part's measurements as JSON has them; comparisons one by one."""
    cache, rounds, models = Path(settings.cache), settings.rounds, settings.models
    if part == "machine":
        shares = [{**asdict(share), "rest": share.rest} for share in machine.profiles(cache, models)]
        yield {"peaks": machine.peaks(rounds), "bandwidth": machine.bandwidth(rounds), "shares": shares}
    elif part == "growth":
        yield machine.growth(cache, rounds)
    elif part == "memory":
        yield memory.measure(cache)
    elif part == "trials":
        yield trials.measure(cache, rounds, models)
    else:
        folder = None if settings.peers is None else Path(settings.peers)
        measure = {"perplexity": perplexity.measure, "passkey": passkey.measure, "tuning": tuning.measure}[part]
        for rows in measure(folder, cache, rounds, models):
            yield [row.data() for row in rows]


def conditions() -> dict[str, str]:
    """Where and with what a part was measured: one page does not mix them."""
    versions = {name: metadata.version(name) for name in ("torch", "transformers")}
    return {"machine": inputs.machine(), "python": platform.python_version(), **versions}


def today() -> str:
    """When, and by which code."""
    return f"{date.today().isoformat()} at {records.commit() or 'no commit'}"


def kept(before: dict[str, Any] | None, found: dict[str, Any]) -> dict[str, Any]:
    """What was found, and what it does not replace of the comparisons measured before."""
    if before is None:
        return found
    again = {_compared(row): row for row in found["found"]}
    stays = any(_compared(row) not in again for row in before["found"])
    rows = [again.pop(_compared(row), row) for row in before["found"]]
    measured = sorted({*(before["measured"] if stays else ()), *found["measured"]})
    return {**found, "measured": measured, "found": rows + list(again.values())}


def _compared(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in ("what", "precision", "side", "idea"))


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
        raise UsageError(f"{str(error).splitlines()[0]}: see experiments/benchmark/README.md") from error
    check(settings)
    compute.keep_freed_memory()  # as a run does; peers have processes of their own
    path = Path(settings.results) / "measured.json"
    for part in settings.parts:
        nothing = True
        for rows in filter(None, measured(part, settings)):
            nothing = False
            found = {"conditions": conditions(), "measured": [today()], "found": rows}
            everything = before(path)
            if part in COMPARISONS:
                found = kept(everything.get(part), found)
            files.write_text(path, json.dumps({**everything, part: found}, indent=1) + "\n")
            page.write(Path(settings.results))
        if nothing:
            print(f"{part}: nothing measured; passkey needs smollm2 and peers=<folder>")
    if path.is_file():
        print(f"Page and figures: {settings.results}/README.md")


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
    path = Path(settings.results) / "measured.json"
    if any(part["conditions"] != conditions() for part in before(path).values()):
        raise UsageError(
            f"{path} was measured on another machine or with other versions, which one page does not mix: "
            "name another folder, results=runs/<name>"
        )


def before(path: Path) -> dict[str, Any]:
    """What was measured before, part by part.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        found = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is damaged: expected a benchmark's measurements; move it away")
    return found


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UsageError as error:
        sys.exit(f"error: {error}")
