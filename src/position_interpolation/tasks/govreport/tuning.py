"""The second stage of tuning (Table 6): a prepared extension is tuned on pairs of report and summary.

The paper states the epochs, and that the loss is on the summary alone. The optimiser, warm-up and clipping are those of
its first stage. One pair is one micro-batch, so no sequence is padded, and all pairs of a batch have the same weight.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from position_interpolation.evidence import records
from position_interpolation.machine import compute, distributed
from position_interpolation.models import extending
from position_interpolation.settings import derived
from position_interpolation.settings.schema import Train
from position_interpolation.tasks.govreport.config import GovReportTask, Lengths
from position_interpolation.tasks.govreport.pairs import Pairs
from position_interpolation.tasks.govreport.summaries import Examples
from position_interpolation.text import encoding
from position_interpolation.tuning import training
from position_interpolation.tuning.extension import Prepared


def steps(task: GovReportTask, pairs: int) -> int:
    """Optimiser steps that `epochs` passes over so many pairs take."""
    return math.ceil(round(task.epochs * pairs / task.batch_size, 6))


def tuned_on_summaries(prepared: Prepared, task: GovReportTask, pairs: Pairs, lengths: Lengths) -> Prepared:
    """The extension after the second stage; when it is needed, its checkpoint is reused, continued or trained."""
    config = prepared.config
    train = Train(
        steps=steps(task, len(pairs.items)),
        batch_size=task.batch_size,
        learning_rate=task.learning_rate,
        save_every=config.train.save_every,
        log_every=config.train.log_every,
    )
    # The schedule is constant, so that stages of any number of steps share one folder.
    recipe = {
        "version": 1, "batch_size": train.batch_size, "learning_rate": train.learning_rate, "data": pairs.sha256,
        "tokenizer": encoding.tokenizer_sha256(prepared.tokenizer), **lengths._asdict(), "seed": config.seed,
        "dtype": compute.dtype(config.compute),
    }  # fmt: skip
    parts = {**prepared.parts, "summaries": recipe}
    folder = Path(config.paths.runs) / "training" / records.signature(parts)

    def build(start: Path | None) -> Any:
        """The extension, or a checkpoint of this stage, in float32, whatever the precision of evaluation."""
        treatment, start = prepared.treatment, start or prepared.place
        shards = distributed.processes()
        method = derived.tuned(config.method)
        return extending.build(config.model, prepared.cache, method, treatment.factor, config.seed, start, shards)

    def tune() -> Path:
        """Tune on summaries up to the last step; the folder of the weights."""
        return training.tune(
            build,
            Examples(pairs.items, prepared.tokenizer, lengths, train.steps * train.batch_size, config.seed),
            train,
            folder,
            micro_batch=1,
            chosen=config.compute,
            seed=config.seed,
        )

    return replace(prepared, parts={**parts, "summaries_steps": train.steps}, weights=tune)
