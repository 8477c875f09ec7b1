"""A measurement: what is computed, and everything that can change its numbers. Shared by the modules of all tasks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from position_interpolation import compute, packing
from position_interpolation.corpora import Documents
from position_interpolation.extension import Prepared
from position_interpolation.tasks.windows import Estimate


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


@dataclass(frozen=True)
class Measurement:
    """One thing to measure: everything that can change its numbers, and how to get them."""

    parts: dict[str, Any]
    measure: Callable[[], list[Measured]]
    task: str | None = None  # what the records are labelled with, where it is not the run's task


def common(prepared: Prepared, documents: Documents | None) -> dict[str, Any]:
    """What every signature holds."""
    return {
        "extension": prepared.parts,
        "tokenizer": packing.tokenizer_sha256(prepared.tokenizer),
        "data": None if documents is None else documents.sha256,
        "dtype": compute.dtype(prepared.config.compute),
    }


def text(documents: Documents, ids: tuple[str, ...]) -> dict[str, Any]:
    """What a record says about its data."""
    return {"name": documents.name, "source": documents.source, "sha256": documents.sha256, "ids": list(ids)}


def bos_of(prepared: Prepared, wanted: bool) -> int | None:
    """The token in front of every window, if one is wanted and the tokenizer has one."""
    return packing.bos(prepared.tokenizer) if wanted else None
