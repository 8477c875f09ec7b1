"""Mirror a job to Weights & Biases, offline unless told otherwise. JSONL stays the truth; nothing is read back."""

from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from position_interpolation.evidence.records import Record
from position_interpolation.machine import distributed
from position_interpolation.settings.schema import Config

COLUMNS = (
    "method",
    "factor",
    "window",
    "steps",
    "task",
    "eval_window",
    "protocol",
    "metric",
    "at",
    "value",
    "ci_low",
    "ci_high",
)


class Tracker:
    """One W&B run for one job, started when there is something to log: a job that reuses its records makes none."""

    def __init__(self, config: Config, name: str) -> None:
        self.config, self.name = config, name
        self.run: Any = None

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is not None:
            self.run.finish(exit_code=0 if error is None else 1)

    def log(self, values: dict[str, float]) -> None:
        """Log the points of a curve; `step` is the curve's own axis."""
        if self._started():
            self.run.log(values)

    def log_records(self, records: list[Record]) -> None:
        """Log records as summary values and as a table."""
        if not records or not self._started():
            return
        import wandb

        for record in records:
            at = "" if record.at is None else f"_at_{record.at}"
            where = "" if record.eval_window is None else f"@{record.eval_window}"
            protocol = "" if record.protocol is None else f"/{record.protocol}"
            # Single documents would crowd the summary; training losses are there as a curve.
            if not record.metric.startswith(("document_", "training_loss_at_")):
                self.run.summary[f"{record.task}/{record.metric}{at}{where}{protocol}"] = record.value
        rows = [[asdict(record)[column] for column in COLUMNS] for record in records]
        self.run.log({"records": wandb.Table(columns=list(COLUMNS), data=rows)})

    def log_images(self, paths: list[Path]) -> None:
        """Log rendered figures."""
        if paths and self._started():
            import wandb

            self.run.log({path.stem: wandb.Image(str(path)) for path in paths})

    def _started(self) -> bool:
        chosen = self.config.wandb
        if chosen.mode == "disabled" or not distributed.is_first():
            return False
        if self.run is None:
            import wandb

            folder = Path(self.config.paths.runs)
            folder.mkdir(parents=True, exist_ok=True)
            self.run = wandb.init(
                mode=chosen.mode,  # type: ignore[arg-type]
                project=chosen.project,
                entity=chosen.entity,
                group=self.config.experiment_name,
                name=self.name,
                dir=str(folder),
                config=_plain(self.config),
                settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
            )
        return True


def _plain(config: Config) -> dict[str, Any]:
    """The configuration without this machine's folders."""
    return {key: value for key, value in asdict(config).items() if key != "paths"}
