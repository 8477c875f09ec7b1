"""Counts what becomes of bad inputs, kills and full disks.

`make trials` has hundreds of each, the tests a few.

Each trial is a process of its own, forked from this one once all libraries are read. Counted are inputs refused in one
line, read as if nothing were wrong, and read as what they are, under another signature or fingerprint; and faults:
tracebacks, lines that say no way out, *silent* differences (another number under the same name), rows that are lost.
The exit status is 1 if there is a fault. Twice the same seed is twice the same inputs.
"""

import argparse
import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import bad_inputs
from bad_inputs import Trial
from compositions import parsed_once
from hub_server import Hub, served
from processes import HEAVY, Outcome, forked
from small_runs import UNTUNED, asked, carried_out, measured, of_base, tuning

from position_interpolation.machine import files

READ_ANEW = (*HEAVY, "datasets", "pyarrow.parquet")  # by every trial, if not by the process that it is forked from
SHARES = {"command line": 0.24, "text": 0.24, "model": 0.16, "cache": 0.08, "rows": 0.2, "hub": 0.08}
GOOD = ("refused", "same", "other")
FAULTS = ("traceback", "unclear", "silent", "lost", "without end")
REMEDY = re.compile(
    r"\b(expected|set|choose|check|correct|remove|make|run|add|write|lower|raise|copy|wait|mend|did you mean|see|take|"
    r"put|name|accept|repair|stopped)\b"
)
ANSWERS = 60  # repositories that the hub has
SERVED = "TRIALS_HUB_IS_SERVED"


def verdict(trial: Trial, outcome: Outcome) -> str:
    """One of GOOD or FAULTS."""
    lines = [line for line in outcome.said.replace("\r", "\n").splitlines() if line.strip()]
    if outcome.status == -signal.SIGPROF:
        return "without end"
    if outcome.status not in (0, 1) or any(line.startswith("Traceback") for line in lines):
        return "traceback"
    if outcome.status == 1:
        refusals = [line for line in lines if line.startswith("error: ")]
        if refusals != lines[-1:] or not REMEDY.search(refusals[0]):
            return "unclear"
        return "lost" if trial.must == "same" else "refused"
    if outcome.found == trial.truth is not None:
        return "silent" if trial.must == "refuse" else "same"
    if trial.must in ("refuse", "same"):
        return "silent"
    return "silent" if _under_one_name(outcome.found, trial.truth) else "other"


def _under_one_name(found: Any, truth: Any) -> bool:
    """Whether one record has the same signature, or text the same fingerprint, and another content."""
    if not isinstance(found, dict) or not isinstance(truth, dict):
        return False
    both = [(found[key], truth[key]) for key in found if key in truth]
    return any(ours[0] == theirs[0] and ours[1] != theirs[1] for ours, theirs in both)


class Count:
    """What came of the trials, kind by kind; faults are told as they are found."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.faults = 0

    def add(self, trial: Trial, outcome: Outcome) -> None:
        """Count one trial."""
        found = verdict(trial, outcome)
        self.counts.setdefault(trial.kind, Counter())[found] += 1
        print(end=".", file=sys.stderr, flush=True)
        if found in FAULTS:
            said = "\n    ".join(outcome.said.strip().splitlines()[-12:])[-1500:]
            self.faults += 1
            print(f"{found}: {trial.kind}: {trial.name}\n    {said or outcome.found}"[:2000], flush=True)

    def table(self) -> str:
        """Markdown: a row a kind, faults last."""
        heads = ["", "tries", *GOOD, *FAULTS]
        total = sum(self.counts.values(), Counter())
        body = [
            [kind, str(found.total()), *(str(found[name]) for name in (*GOOD, *FAULTS))]
            for kind, found in [*self.counts.items(), ("all", total)]
        ]
        lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *body]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# What is tried


def bad(chance: Random, good: Path, kinds: list[str], tries: int) -> Iterator[Trial]:
    """Inputs of every kind by their shares, in turn."""
    sources: dict[str, Callable[[], Iterator[Trial]]] = {
        "command line": lambda: bad_inputs.command_lines(chance),
        "text": lambda: bad_inputs.texts(chance),
        "model": lambda: bad_inputs.models(chance, good),
        "cache": lambda: bad_inputs.caches(chance, good),
        "rows": lambda: bad_inputs.rows(chance),
        "hub": lambda: bad_inputs.hub(Random(0), ANSWERS),
    }
    for kind in kinds:
        yield from islice(sources[kind](), max(round(tries * SHARES[kind]), min(tries, 1)))


def killed(chance: Random, good: Path, folder: Path, command: list[str], seconds: float) -> tuple[Trial, Outcome]:
    """A run that is killed at a random moment, then carried out by the same command."""
    after = chance.uniform(0.02, 0.8) * seconds
    first = forked(lambda: carried_out(command), folder, lambda: signal.setitimer(signal.ITIMER_PROF, after))
    stopped = first.ended().status == -signal.SIGPROF
    kind, name = "kill" if stopped else "kill, too late", f"after {after:.2f} s: {command}"
    return Trial(kind, name, must="same", truth=written(good / "run", command)), again(folder, command)


def full(chance: Random, good: Path, folder: Path, command: list[str], largest: int) -> list[tuple[Trial, Outcome]]:
    """A run that can write no file to its end, then carried out by the same command where it can.

    A limit on the size of files is as a full disk to whatever writes them: part is written, then no more.
    """
    most = int(largest ** chance.uniform(0.3, 1.0))
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))  # noqa: E731
    outcome = forked(lambda: carried_out(command), folder, limit).ended()
    name, truth = f"of {most} bytes: {command}", written(good / "run", command)
    return [
        (Trial("full disk", name), outcome),
        (Trial("full disk, again", name, must="same", truth=truth), again(folder, command)),
    ]


def pair(good: Path, folder: Path) -> tuple[Trial, Outcome]:
    """Two processes, each with a part of the numbers, in the same folders at the same time."""
    commands = [tuning(f"task.window_factors=[{factor}]") for factor in (1, 2)]
    both = [forked(lambda command=command: carried_out(command), folder) for command in commands]
    ends = [process.ended() for process in both]
    worst = max(ends, key=lambda outcome: abs(outcome.status))
    found = measured(folder)
    trial = Trial("two at once", "the same folders", must="same", truth=measured(good / "run"))
    return trial, Outcome(worst.status, worst.said, found)


def again(folder: Path, command: list[str]) -> Outcome:
    """The same command once more, to its end."""
    outcome = forked(lambda: carried_out(command), folder).ended()
    return Outcome(outcome.status, outcome.said, written(folder, command))


def written(folder: Path, command: list[str]) -> Any:
    """Rows, or the hashes of an export's files; its card tells when it was made."""
    if "task=export" not in command:
        return measured(folder)
    return {path.name: files.sha256(path) for path in sorted((folder / "out").glob("*")) if path.suffix != ".md"}


# Carrying it out


def prepared(good: Path) -> float:
    """Make what the trials damage and are held against; how many seconds of a processor a run takes."""

    def carry_out(command: list[str], folder: Path) -> Any:
        ended = forked(partial(carried_out, command), folder).ended()
        assert ended.status == 0, ended.said
        return ended.found

    carry_out(tuning(), good / "run")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    carry_out(tuning(task="export"), good / "run")
    carry_out(asked("task.folder=base", *UNTUNED, task="export"), good)
    shutil.copytree(good / "base", good / "of_base" / "base")
    found = carry_out(of_base(), good / "of_base")
    (good / "of_base.json").write_text(json.dumps(found))
    return spent.ru_utime + spent.ru_stime


def try_all(options: argparse.Namespace, place: Path, count: Count) -> None:
    """All trials, each in a folder of its own that goes when it ends."""
    for name in READ_ANEW:
        importlib.import_module(name)
    good, chance = place / "good", Random(options.seed)
    seconds = prepared(good)
    for trial in bad(chance, good, options.kinds, options.inputs):
        count.add(trial, forked(trial.act, place / "trial").ended())
        shutil.rmtree(place / "trial")
    commands = [tuning(), tuning(task="export")]
    largest = max(path.stat().st_size for path in (good / "run").rglob("*"))
    for number in range(options.kills):
        count.add(*killed(chance, good, place / "trial", commands[number % 2], seconds))
        shutil.rmtree(place / "trial")
    for number in range(options.disks):
        for tried in full(chance, good, place / "trial", commands[number % 2], largest):
            count.add(*tried)
        shutil.rmtree(place / "trial")
    for _ in range(options.pairs):
        count.add(*pair(good, place / "trial"))
        shutil.rmtree(place / "trial")


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """The environment of a process that finds the hub served."""
    shelf = {name: repository for name, (repository, _) in bad_inputs.answers(Random(0), ANSWERS).items()}
    with served(Hub(shelf, shelf)) as hub, tempfile.TemporaryDirectory() as home:
        own = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": home, "OMP_NUM_THREADS": "1", SERVED: "1"}
        yield {**os.environ, **own}


def main() -> None:
    """Serve the hub, and carry out the trials in a process that is told where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("inputs", "kills", "disks", "pairs", "seed"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=SHARES, default=[*SHARES])
    options = parser.parse_args()
    if SERVED not in os.environ:
        with serving() as environment:
            sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode)
    count = Count()
    try:
        with tempfile.TemporaryDirectory() as place, parsed_once():
            try_all(options, Path(place), count)
    finally:
        print(count.table())
    sys.exit(bool(count.faults))


if __name__ == "__main__":
    main()
