"""The tasks that there are. A new one is a folder and a line here (docs/add_a_task.md)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from position_interpolation.settings.schema import Config, Task
from position_interpolation.tasks.benchmarks import config as benchmarks
from position_interpolation.tasks.govreport import config as govreport
from position_interpolation.tasks.heads import config as heads
from position_interpolation.tasks.longppl import config as longppl
from position_interpolation.tasks.passkey import config as passkey
from position_interpolation.tasks.perplexity import config as perplexity
from position_interpolation.tasks.positions import config as positions
from position_interpolation.tasks.retrieval import config as retrieval
from position_interpolation.tasks.rotation import config as rotation

if TYPE_CHECKING:
    from position_interpolation.tasks.measurement import Measurement
    from position_interpolation.tuning.extension import Prepared

HERE = __name__.rpartition(".")[0]


@dataclass(frozen=True)
class Entry:
    """One task."""

    settings: type[Task]  # its `kind` is the task's name here
    check: Callable[[Config, Any], None]  # refuses settings that make no sense, before anything is computed


# By folder, in the order of a page. A folder has measure.py and, as they are needed, page.py and claims.py. These are
# imported only when they are needed, because torch takes seconds to import.
TASKS: dict[str, Entry] = {
    "perplexity": Entry(perplexity.PerplexityTask, perplexity.check),
    "longppl": Entry(longppl.LongPPLTask, longppl.check),
    "passkey": Entry(passkey.PasskeyTask, passkey.check),
    "retrieval": Entry(retrieval.RetrievalTask, retrieval.check),
    "positions": Entry(positions.PositionsTask, positions.check),
    "benchmarks": Entry(benchmarks.BenchmarksTask, benchmarks.check),
    "govreport": Entry(govreport.GovReportTask, govreport.check),
    "rotation": Entry(rotation.RotationTask, rotation.check),
    "heads": Entry(heads.HeadsTask, heads.check),
}
THEORY = "theory"  # measures no extension, but has a page and claims as a task does


def modules(name: str) -> dict[str, ModuleType]:
    """The modules called `page` or `claims` of the tasks that have one, by task, in the order of a page."""
    places = {task: f"{HERE}.{task}.{name}" for task in (*TASKS, THEORY)}
    return {task: import_module(place) for task, place in places.items() if find_spec(place) is not None}


def measurements(prepared: "Prepared") -> "Iterator[Measurement]":
    """What the run's task measures on the extension, in order; if it is tuned, its loss curve comes last.

    A task reads and checks what it needs before the first measurement, which is when tuning starts.
    """
    task = prepared.config.task
    yield from import_module(f"{HERE}.{task.kind}.measure").measurements(prepared, task)
    yield from import_module(f"{HERE}.tuning_curve.measure").measurements(prepared)
