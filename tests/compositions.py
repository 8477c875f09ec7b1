"""Hydra's compositions, a tenth of a second each, as few and as quick as the tests can have them."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf


@contextmanager
def parsed_once() -> Iterator[None]:
    """Parse equal YAML once, and copy what was registered only as it is read.

    Hydra does both anew for every job, with all of conf/ and of the register: half of the time of a composition.
    """
    parsed = cache(lambda text, load=OmegaConf.load: load(StringIO(text)))

    def load(file: Any) -> Any:
        return deepcopy(parsed(file.read() if hasattr(file, "read") else Path(file).read_text()))

    shared = patch.object(ConfigStore, "__deepcopy__", lambda store, _: store, create=True)
    with patch.object(OmegaConf, "load", load), shared:
        yield


def shortest(jobs: list[list[str]]) -> Iterator[list[str]]:
    """Few of the jobs that together have each choice."""
    missing = {choice for job in jobs for choice in job}
    while missing:
        job = max(jobs, key=lambda job: len(missing & set(job)))
        missing -= set(job)
        yield job
