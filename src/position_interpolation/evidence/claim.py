"""The claims as data: assets/claims.yaml, read once."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from position_interpolation.settings.places import ASSETS

CLAIMS = ASSETS / "claims.yaml"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, in our words."""

    id: str
    subject: str  # perplexity, steps, passkey, benchmarks, govreport or theory
    statement: str
    where: str  # it stands in the paper
    needed: str  # what would have to be seen for it to hold
    check: str  # the function that looks for it, by its name in `checks.CHECKS`
    sizes: tuple[str, ...] = ()  # of LLaMA that it is about; empty for all
    given: dict[str, Any] = field(default_factory=dict)  # arguments of the check
    remarks: dict[str, str] = field(default_factory=dict)  # by column of the page: what was tried to find out why


@cache
def claims() -> tuple[Claim, ...]:
    """Every claim, in the order of the page."""
    subjects: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(CLAIMS))  # type: ignore[assignment]
    return tuple(
        Claim(**{**entry, "subject": subject, "sizes": tuple(entry.get("sizes", ()))})
        for subject, entries in subjects.items()
        for entry in entries
    )
