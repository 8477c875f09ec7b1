"""Mirror a job to Weights & Biases, offline unless told otherwise. rows.jsonl stays the truth; nothing is read back."""

import os
import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import base_name
from position_interpolation.evidence.records import Record
from position_interpolation.machine import distributed
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.schema import Config

OFFLINE = "wandb=offline, which wandb sync uploads later"
COLUMNS = (
    "model", "method", "factor", "window", "steps", "task", "eval_window", "stride", "protocol", "metric", "at",
    "value", "ci_low", "ci_high", "seed",
)  # fmt: skip


def job_name(config: Config) -> str:
    """What a W&B run is called: extension, task and what the experiment, or the sweep, varies."""
    treatment = derived.treatment(config)
    tuned = f"{treatment.steps}steps" if treatment.steps else "untuned"
    base = base_name(config.model.name, config.model.base_tokens)
    settings = "".join(f"-{key}={value}" for key, value in derived.swept(config).items())
    return f"{base}-{treatment.method}-x{treatment.factor:g}-{tuned}-{config.task.name}{settings}"


def check(config: Config) -> None:
    """Refuse, before anything is computed, a run whose upload W&B would not take.

    A name may be invalid. Online, the key may be missing or wrong, the network may be down, or the entity not be ours.
    """
    if config.wandb.mode == "disabled" or not distributed.is_first():
        return
    import wandb

    try:
        wandb.Settings(project=config.wandb.project, entity=config.wandb.entity).update_from_env_vars(dict(os.environ))
    except Exception as error:  # its own, or of the library that it checks values by
        raise UsageError(_refused(config, error)) from error
    if config.wandb.mode == "offline":
        return
    try:
        wandb.login(verify=True)
        viewer, entity = wandb.Api(timeout=20).viewer, config.wandb.entity
    except Exception as error:  # its own, of its service, of the network
        way_out = f"run wandb login, set WANDB_API_KEY or check the network; or choose {OFFLINE}"
        raise UsageError(f"wandb=online does not work ({shortened(error)}): {way_out}") from error
    known = dict.fromkeys((viewer.username, *viewer.teams))
    if entity is not None and entity not in known:
        way_out = f"choose one of {', '.join(known)}, or {OFFLINE}"
        raise UsageError(f"wandb.entity={entity} takes no runs of yours: {way_out}")


class Tracker(AbstractContextManager["Tracker"]):
    """One W&B run for one job, started when there is something to measure; a job that reuses its records has none."""

    def __init__(self, config: Config, name: str) -> None:
        self.config, self.name = config, name
        self.run: Any = None

    def __exit__(self, kind: object, *raised: object) -> None:
        if self.run is not None:
            self.run.finish(exit_code=0 if kind is None else 1)

    def log(self, values: dict[str, float]) -> None:
        """Log the points of a curve; `step` is the curve's own axis."""
        if self.start():
            self.run.log(values)

    def log_records(self, records: list[Record]) -> None:
        """Log records as summary values and as a table."""
        if not records or not self.start():
            return
        import wandb

        for record in records:
            at = "" if record.at is None else f"_at_{record.at}"
            where = "" if record.eval_window is None else f"@{record.eval_window}"
            protocol = "" if record.protocol is None else f"/{record.protocol}"
            # Single documents would crowd the summary; training losses are logged as a curve.
            if record.metric not in (*select.OF_ONE_DOCUMENT, select.TRAINING_LOSS):
                self.run.summary[f"{record.task}/{record.metric}{at}{where}{protocol}"] = record.value
        rows = [[getattr(record, column) for column in COLUMNS] for record in records]
        self.run.log({"records": wandb.Table(columns=list(COLUMNS), data=rows)})

    def log_images(self, paths: list[Path]) -> None:
        """Log rendered figures."""
        if paths and self.start():
            import wandb

            self.run.log({path.stem: wandb.Image(str(path)) for path in paths})

    def start(self) -> bool:
        """Start the run unless it has started, also to show problems before the work; return whether there is one.

        Raises:
            UsageError: W&B does not take the run even offline.
        """
        chosen = self.config.wandb
        if chosen.mode == "disabled" or not distributed.is_first():
            return False
        if self.run is None:
            try:
                self.run = self._init(chosen.mode)
            except Exception as error:  # its own, of its service, of the network
                if chosen.mode == "offline":
                    raise UsageError(_refused(self.config, error)) from error
                later = f"this run goes on offline; later run wandb sync {self.config.paths.runs}/wandb/offline-run-*"
                print(f"note: W&B did not take {self.name} ({shortened(error)}): {later}", file=sys.stderr)
                self.run = self._init("offline")
        return True

    def _init(self, mode: str) -> Any:
        import wandb

        folder, chosen = Path(self.config.paths.runs), self.config.wandb
        folder.mkdir(parents=True, exist_ok=True)
        return wandb.init(
            mode=mode,  # type: ignore[arg-type]
            project=chosen.project,
            entity=chosen.entity,
            group=self.config.experiment_name,
            name=self.name,
            dir=str(folder),
            config={key: value for key, value in asdict(self.config).items() if key != "paths"},  # of this machine
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )


def _refused(config: Config, error: Exception) -> str:
    way_out = "correct wandb.project, wandb.entity or the environment's WANDB_*, or set wandb=disabled"
    return f"wandb={config.wandb.mode} does not work ({shortened(error)}): {way_out}"
