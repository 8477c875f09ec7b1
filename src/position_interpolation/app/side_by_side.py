"""The jobs of a sweep side by side: on a CPU with one thread each, on a machine with several GPUs with one GPU each.

The matrices of small models keep only one core busy, so several jobs do more than several threads. Jobs that need the
same training stay together in one process: the first trains, and the others find its checkpoint.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from position_interpolation.evidence.words import plural
from position_interpolation.machine import distributed
from position_interpolation.settings import derived
from position_interpolation.settings.errors import GO_ON, UsageError
from position_interpolation.settings.schema import Config

GIBIBYTES_OF_A_JOB = 4
PATIENCE = 20  # seconds that a worker has to end when it is asked to
LOOK = 0.25  # seconds between two looks at the workers
DRIVER = Path("/proc/driver/nvidia/gpus")  # one folder a GPU; asking torch would take seconds
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass
class Worker:
    """Jobs that need the same training, and the process that carries them out."""

    name: str
    jobs: list[list[str]]
    log: Path
    tokens: int = 0  # that it tunes on
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    seconds: float = 0.0  # that it has run
    gpu: str | None = None  # the one that it has to itself

    def start(self) -> None:
        """Start the process; what it says goes to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", f"{__package__}.worker", str(os.getpid()), json.dumps(self.jobs)]
        # torch.compile's cache is not safe for several processes that write to it: one may read half a file.
        own = {"TORCHINDUCTOR_CACHE_DIR": str(self.log.with_suffix(".compiled").resolve()), **os.environ}
        if self.gpu is not None:
            own[VISIBLE] = self.gpu
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=own, start_new_session=True)

    def state(self) -> str:
        """`waiting`, `running`, `done` or `failed`."""
        if self.process is None:
            return "waiting"
        if self.process.poll() is not None:
            return "failed" if self.process.returncode else "done"
        self.seconds = time.monotonic() - self.started
        return "running"

    @property
    def fault(self) -> str:
        """Why it failed: its error, or the signal that ended it."""
        code = self.process.returncode if self.process is not None else 0
        if code >= 0:
            return self.last_line.removeprefix("error: ")
        memory = " (was memory short?)" if -code == signal.SIGKILL else ""
        return f"ended by signal {-code}{memory}; {GO_ON}"

    @property
    def last_line(self) -> str:
        """What it said last: the state of its progress bar, or an error."""
        try:
            said = self.log.read_bytes()[-2000:].decode(errors="replace")
        except OSError:
            return ""
        return said.replace("\r", "\n").strip().rpartition("\n")[2].strip()


def workers_at_a_time(config: Config) -> int:
    """How many workers carry out jobs: as asked for, else one a GPU, or by free cores and memory on a CPU."""
    if distributed.processes() > 1:  # which carry out each job together
        return 1
    if config.compute.jobs is not None:
        return config.compute.jobs
    gpus = _gpus(config)
    if gpus or config.compute.device == "cuda":
        return max(1, len(gpus))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // (config.compute.threads or 1), _free_gibibytes() // GIBIBYTES_OF_A_JOB))


def _gpus(config: Config) -> list[str]:
    """The GPUs that a run may use, as `CUDA_VISIBLE_DEVICES` names them; none if it computes on the CPU."""
    there = len(list(DRIVER.glob("*")))
    if config.compute.device == "cpu" or not (there or config.compute.device == "cuda"):
        return []
    if (visible := os.environ.get(VISIBLE)) is None:
        return [str(number) for number in range(there)]
    named = takewhile(lambda name: name and not name.startswith("-"), map(str.strip, visible.split(",")))
    return list(dict.fromkeys(named))  # CUDA, too, reads no further than the first that is none


def carry_out(jobs: Sequence[list[str]], configs: Sequence[Config], at_a_time: int) -> None:
    """Run all jobs, at most `at_a_time` side by side, and show how they are doing.

    After a worker has failed no other is started, and those at work are waited for.

    Raises:
        UsageError: a worker failed.
    """
    gpus = _gpus(configs[0])
    free = [gpus[place % len(gpus)] if gpus else None for place in range(at_a_time)]
    if configs[0].compute.threads is None and not gpus:
        jobs = [[*job, "compute.threads=1"] for job in jobs]
    workers = _grouped(jobs, configs)
    console = Console()
    look = Live(console=console, get_renderable=lambda: _shown(workers), refresh_per_second=1, transient=True)
    waiting, running = list(workers), list[Worker]()
    try:
        with look:  # which shows nothing but in a terminal
            while waiting or running:
                while waiting and free:
                    worker = waiting.pop(0)
                    worker.gpu = free.pop(0)
                    running.append(worker)
                    worker.start()
                    if not console.is_terminal:
                        begun = f"started {plural(len(worker.jobs), 'job')}: {worker.name}; what it says: {worker.log}"
                        console.print(begun, highlight=False, soft_wrap=True)
                time.sleep(LOOK)
                for worker in [worker for worker in running if worker.state() != "running"]:
                    running.remove(worker)
                    free.append(worker.gpu)
                    ended = f"{worker.state()} after {worker.seconds / 60:.1f} minutes: {worker.name}"
                    console.print(ended, highlight=False)
                    if worker.state() == "failed":
                        waiting.clear()  # nothing more is begun
    except KeyboardInterrupt:
        _end(running)
        raise
    for worker in workers:
        if worker.state() == "failed":
            raise UsageError(f"{worker.name}: {worker.fault} (all it said: {worker.log})")


def _shown(workers: Sequence[Worker]) -> Table:
    """One row per worker: what it works on, for how long, and what its progress bar says."""
    table = Table.grid(padding=(0, 1))
    for worker in workers:
        state = worker.state()
        since = "" if state == "waiting" else f"{worker.seconds / 60:.0f} min"
        table.add_row(worker.name, state, since, worker.last_line[-60:] if state == "running" else "")
    return table


def _end(workers: Sequence[Worker]) -> None:
    """Ask every worker and its children to end; kill those that do not."""
    alive = [worker.process for worker in workers if worker.process is not None and worker.process.poll() is None]
    for process in alive:
        os.killpg(process.pid, signal.SIGINT)
    until = time.monotonic() + PATIENCE
    for process in alive:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _grouped(jobs: Sequence[list[str]], configs: Sequence[Config]) -> list[Worker]:
    """One worker per training, whatever the number of its steps.

    Those that tune on the most tokens come first: a long one that begins last would leave the other cores idle.
    """
    workers: dict[str, Worker] = {}
    for job, config in zip(jobs, configs, strict=True):
        treatment, key = derived.treatment(config), derived.training(config)
        if key not in workers:
            tuned = "tuned" if treatment.steps else "untuned"
            name = f"{config.model.name} {treatment.method} x{treatment.factor:g} {tuned}, seed {config.seed}"
            # Another sweep that shares runs/ has logs of other names, and the same one finds what it compiled.
            digest = hashlib.sha256(repr((key, job)).encode()).hexdigest()[:8]
            place = Path(config.paths.runs) / "logs" / f"{config.experiment_name}-{len(workers) + 1}-{digest}.log"
            workers[key] = Worker(name, [], place)
        workers[key].jobs.append(job)
        workers[key].tokens = max(workers[key].tokens, derived.tuned_tokens(config))
    return sorted(workers.values(), key=lambda worker: -worker.tokens)


def _free_gibibytes() -> int:
    """Available memory as Linux reports it; elsewhere, enough for one job."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) // 2**20
    except (OSError, StopIteration, ValueError):
        return GIBIBYTES_OF_A_JOB
