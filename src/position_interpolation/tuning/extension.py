"""An extension made ready: base weights under a method's positions, tuned if asked for, named by what made it.

Its name is known before its weights. So a task first reads and checks what it needs, and tuning waits for the first
forward. What was measured before under the same name needs no weights at all.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from position_interpolation.evidence import records
from position_interpolation.machine import compute, distributed, files
from position_interpolation.models import extending, loading
from position_interpolation.settings import derived
from position_interpolation.settings.derived import Treatment
from position_interpolation.settings.schema import RECALL, RUNNING, Config
from position_interpolation.text import corpora, encoding, overlap, packing
from position_interpolation.text.recall import RecallWindows
from position_interpolation.text.skipping import SkippedPositions
from position_interpolation.tuning import checkpoints, training

Listener = Callable[[dict[str, float]], None]
Sequences = packing.PackedWindows | SkippedPositions
Streams = dict[str, packing.Source]


@dataclass(frozen=True)
class Prepared:
    """An extension with a name. Its weights are made, or found, when they are first needed."""

    treatment: Treatment
    parts: dict[str, Any]  # everything that makes it, for signatures
    weights: Callable[[], Path | None]  # tunes if need be; returns the folder of the weights, None if they are random
    config: Config
    checkpoint: Path | None = None  # where tuning leaves the weights; None if untuned
    tuned_on: overlap.Pieces | None = None  # the text of the mixture; None if untuned

    @cached_property
    def place(self) -> Path | None:
        """Folder of the weights; None for untuned random weights."""
        return self.weights()

    def is_tuned(self) -> bool:
        """Whether no tuning is left to do."""
        place = self.checkpoint
        return place is None or self.treatment.steps in checkpoints.finished_steps(place.parent)

    @property
    def cache(self) -> Path:
        """Folder of converted models and tokenised text."""
        return Path(self.config.paths.cache)

    @cached_property
    def weights_sha256(self) -> str:
        """Fingerprint of the weights that are evaluated."""
        return str(self.parts["weights"]) if self.place is None else loading.weights_sha256(self.place)

    @cached_property
    def tokenizer(self) -> Any:
        """The base's tokenizer."""
        return loading.tokenizer(self.config.model, self.cache)

    @cached_property
    def model(self) -> Any:
        """The model on its device, in its precision; loaded when first needed."""
        chosen = self.config.compute
        model = self.loaded(compute.DTYPES[compute.dtype(chosen)])
        if chosen.compile:
            compute.compile_layers(model)
        return model.to(compute.device(chosen))

    def loaded(self, dtype: Any) -> Any:
        """The model in a precision, before it goes to a device."""
        config, factor = self.config, self.treatment.factor
        return extending.build(config.model, self.cache, config.method, factor, config.seed, self.place, dtype=dtype)


def prepare(config: Config, listener: Listener) -> Prepared:
    """Name the extension of a run. When its weights are needed, its checkpoint is found or trained.

    Training tells its losses to the listener.
    """
    cache = Path(config.paths.cache)
    treatment = derived.treatment(config)
    base = loading.folder(config.model, cache)
    tokenizer = loading.tokenizer(config.model, cache)
    parts: dict[str, Any] = {
        "weights": loading.random_sha256(config.model, config.seed) if base is None else loading.weights_sha256(base),
        "base_window": config.model.window,
        "method": treatment.method,
        "factor": treatment.factor,
        "architecture": extending.architecture_sha256(config.model, cache, config.method, treatment.factor),
    }
    if treatment.steps == 0:
        return Prepared(treatment, parts, lambda: base, config)
    trained = config.model, cache, derived.tuned(config.method), treatment.factor  # no scaling that comes after tuning
    _check_start(config, extending.extended_config(*trained))
    streams, fingerprints, pieces = _training_text(config, tokenizer, cache)
    steady = replace(config, train=replace(config.train, schedule="constant"))
    recipes = [_recipe(one, fingerprints, encoding.tokenizer_sha256(tokenizer)) for one in (config, steady)]
    decisive = {**parts, "architecture": extending.architecture_sha256(*trained)}
    folder, beginning = (
        Path(config.paths.runs) / "training" / records.signature({**decisive, "training": recipe}) for recipe in recipes
    )
    build = partial(extending.build, *trained, config.seed, shards=distributed.processes())
    sequences = _sequences(config, streams, encoding.bos(tokenizer))
    tune = partial(_tune, config, build, sequences, folder, beginning, listener)
    parts |= {"training": recipes[0], "steps": treatment.steps}
    if decisive["architecture"] != parts["architecture"]:  # not the weights of tuning with the scaling
        parts["tuned_as"] = decisive["architecture"]
    return Prepared(treatment, parts, tune, config, checkpoints.at(folder, treatment.steps), pieces)


def _check_start(config: Config, extended: Any) -> None:
    """Refuse what tuning cannot start from: a base whose attention cannot be shared out, another's checkpoint."""
    if config.compute.context_parallel > 1:
        loading.check_full_attention(extended)
    if config.train.resume_from is not None:
        extending.check_checkpoint(Path(config.train.resume_from), extended)


def _recipe(config: Config, data: dict[str, str], tokenizer_sha256: str) -> dict[str, Any]:
    """What decides a training run up to its number of steps.

    With a constant schedule the first k steps do not depend on how many follow, so all numbers of steps share a folder.
    """
    train = config.train
    recipe = {key: value for key, value in vars(train).items() if key not in (*RUNNING, "resume_from")}
    if train.chunk is None:  # newer than some checkpoints, whose signature does without
        del recipe["chunk"]
    recipe["mixture"] = list(train.mixture.items())  # a list, because the order decides which window comes when
    if train.resume_from is not None:
        recipe["resume_from"] = loading.weights_sha256(train.resume_from)
    if train.schedule == "constant":
        del recipe["steps"]
    return {
        "recipe": recipe,
        "data": data,
        "tokenizer": tokenizer_sha256,
        "window": derived.reach(config),
        "seed": config.seed,
        "dtype": compute.dtype(config.compute),
    }


def _training_text(config: Config, tokenizer: Any, cache: Path) -> tuple[Streams, dict[str, str], overlap.Pieces]:
    """The mixture's token streams, the fingerprints of their texts, and the `overlap` pieces of these.

    Recall takes its filler from the first of the other streams.
    """
    names = [name for name in config.train.mixture if name != RECALL]
    texts = {name: corpora.load(config.data, name) for name in names}
    streams: Streams = {name: packing.stream(text, tokenizer, cache) for name, text in texts.items()}
    fingerprints = {name: text.sha256 for name, text in texts.items()}
    if RECALL in config.train.mixture:
        body = derived.sequence(config) - (encoding.bos(tokenizer) is not None)
        made = RecallWindows(config.seed, cast(NDArray[np.uint32], streams[names[0]]), tokenizer, body)
        streams[RECALL], fingerprints[RECALL] = made, made.sha256()
    return streams, fingerprints, overlap.joined([overlap.pieces(text, cache) for text in texts.values()])


def _sequences(config: Config, streams: Streams, bos: int | None) -> Sequences:
    """The training sequences, in the order in which the steps read them."""
    train = config.train
    count = train.steps * train.batch_size
    windows = packing.PackedWindows(streams, dict(train.mixture), derived.sequence(config), count, config.seed, bos)
    return windows if train.chunk is None else SkippedPositions(windows, derived.reach(config), config.seed)


def _tune(
    config: Config,
    build: Callable[[Path | None], Any],
    sequences: Sequences,
    folder: Path,
    beginning: Path,
    listener: Listener,
) -> Path:
    """Train to the last step, or find that it was done; return the last checkpoint."""
    chosen = config.compute
    stretch = derived.sequence(config) // chosen.context_parallel  # tokens of a sequence that one process reads
    most = max(1, compute.tokens_per_forward(chosen, tuning=True) // stretch)  # sequences of a forward
    # Jobs of a parallel sweep may want different steps of one training. Of a job's processes only the first locks.
    with ExitStack() as locks:
        # The folder of a constant rate is locked too, if it is there and another one.
        shared = [beginning] if beginning != folder and beginning.is_dir() else []
        for place in [folder, *shared] if distributed.is_first() else []:
            locks.enter_context(files.locked(place / "training"))
        return training.tune(
            build, sequences, config.train, folder, micro_batch=most, chosen=chosen, seed=config.seed,
            beginning=beginning, listener=listener,
        )  # fmt: skip
