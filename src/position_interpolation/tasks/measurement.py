"""A measurement: what is computed, and everything that can change its numbers. All tasks share this module."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from position_interpolation.evidence.extensions import base_name
from position_interpolation.evidence.intervals import Estimate
from position_interpolation.machine import compute, distributed, files
from position_interpolation.settings.schema import Config
from position_interpolation.text import encoding, overlap
from position_interpolation.text.corpora import Documents
from position_interpolation.tuning.extension import Prepared


@dataclass(frozen=True)
class Measured:
    """One measured number, before it becomes a record."""

    metric: str
    estimate: Estimate
    data: dict[str, Any]
    n_documents: int | None = None
    n_tokens: int | None = None
    eval_window: int | None = None
    stride: int | None = None
    protocol: str | None = None
    at: int | None = None  # as in `records.Record`


def raw(config: Config, kind: str, signature: str, suffix: str = "") -> Path:
    """Where raw results are kept, so that a killed run can go on; emptied if they are to be measured again."""
    place = Path(config.paths.runs) / kind / f"{signature}{suffix}"
    if config.measure_again and distributed.is_first():
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
    return place


@dataclass(frozen=True)
class Measurement:
    """One thing to measure: everything that can change its numbers, and how to get them."""

    parts: dict[str, Any]
    measure: Callable[[], list[Measured]]
    # The extension whose weights are measured, given the run's; None where no model is measured.
    subject: Callable[[Prepared], Prepared | None] = lambda prepared: prepared
    # Called with the signature once the numbers are kept, measured or reused, to write files beside the records.
    beside: Callable[[str], None] = lambda _: None
    dtype: str | None = None  # set where the model's precision does not matter
    task: str | None = None  # what its records call their task; None: the name of the run's task


def common(prepared: Prepared, documents: Documents | None) -> dict[str, Any]:
    """The parts that most signatures have in common."""
    return {
        "extension": prepared.parts,
        "tokenizer": encoding.tokenizer_sha256(prepared.tokenizer),
        "data": None if documents is None else documents.sha256,
        "dtype": compute.dtype(prepared.config.compute),
    }


def text(documents: Documents, ids: tuple[str, ...], **cut: float | str | None) -> dict[str, Any]:
    """What a record says about its data: `ids` were measured, shortened as `cut` says (such as truncate=4096).

    The fingerprint covers the documents and the cut, so whole and shortened documents are never taken for one text.
    """
    whole = documents.sha256
    sha256 = hashlib.sha256(json.dumps([whole, cut]).encode()).hexdigest() if cut else whole
    return {"name": documents.name, "source": documents.source, "sha256": sha256, "ids": list(ids)}


def unseen(prepared: Prepared, documents: Documents, truncate: int | None) -> None:
    """Make sure that what is measured was not tuned on, under these ids or others.

    The first `truncate` tokens of each document are measured, or all.

    Raises:
        UsageError: it was.
    """
    if prepared.tuned_on is not None:
        own = overlap.pieces(beginnings(documents, prepared.tokenizer, truncate), prepared.cache)
        overlap.refuse(own, prepared.tuned_on, "choose others by task.ids, or another text for train.mixture")


def beginnings(documents: Documents, tokenizer: Any, tokens: int | None) -> Documents:
    """Documents cut to their first so many tokens."""
    if tokens is None:
        return documents
    stops = [encoding.ends(tokenizer, document.text, tokens)[-1] for document in documents.items]
    cut = (replace(document, text=document.text[:stop]) for document, stop in zip(documents.items, stops, strict=True))
    return replace(documents, items=tuple(cut))


def bos_of(prepared: Prepared, bos: bool) -> int | None:
    """The token in front of every window, if `bos` asks for one and the tokenizer has one."""
    return encoding.bos(prepared.tokenizer) if bos else None


def keep_answers(prepared: Prepared, about: str, lines: Callable[[], list[dict[str, Any]]], signature: str) -> None:
    """Write JSON lines, one per question, to <paths.runs>/answers, unless the file is there already.

    Its name tells the extension, the questions (`about`) and the measurement's signature.
    """
    treatment, config = prepared.treatment, prepared.config
    base = base_name(config.model.name, config.model.base_tokens)
    name = f"{base}-{treatment.method}-x{treatment.factor:g}-{treatment.steps}steps"
    place = Path(config.paths.runs) / "answers" / f"{name}-{about}-{signature}.jsonl"
    if config.measure_again or not distributed.agreed(place.is_file):
        written = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines())
        if distributed.is_first():
            files.write_text(place, written)
    if distributed.is_first():
        print(f"what the model answered: {place}")
