"""Claims, and how they are judged: from effects to a verdict. Every case that a claim speaks of has to hold.

A claim is declared once, in assets/claims.yaml. The check that it names yields its cases.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from omegaconf import OmegaConf

from position_interpolation.evidence.comparison import Effect
from position_interpolation.settings.places import ASSETS

CLAIMS = ASSETS / "claims.yaml"
Verdict = Literal["holds", "does not hold", "no difference", "within noise", "not measured"]
Kind = Literal["above", "below", "at least", "at most", "within"]
ALIKE, POINT = 0.01, 1.0  # `Bar.tight` for ratios (1 %), and for shares of questions (one percentage point)
WORST_FIRST: tuple[Verdict, ...] = ("does not hold", "within noise", "no difference", "holds")


@dataclass(frozen=True)
class Claim:
    """One claim: of the paper, in our words, or what this project asks beyond it."""

    id: str
    subject: str  # a heading of the ledger
    statement: str
    needed: str  # what would have to be seen for it to hold
    check: str  # the function that yields its cases: `passkey.whole_window` is in tasks/passkey/claims.py
    where: str = ""  # the place in the paper; empty for our own claims
    given: dict[str, Any] = field(default_factory=dict)  # arguments of the check
    experiments: tuple[str, ...] = ()  # its evidence; if none is named, the experiments shaped like the paper's
    remarks: dict[str, str] = field(default_factory=dict)  # what is known about a verdict, by column of the ledger

    @property
    def ours(self) -> bool:
        """Whether the paper claims nothing of the kind."""
        return not self.where


@cache
def claims() -> tuple[Claim, ...]:
    """Every claim, in the order of the ledger."""
    subjects: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(CLAIMS))  # type: ignore[assignment]
    return tuple(
        Claim(**{**entry, "subject": subject, "experiments": tuple(entry.get("experiments", ()))})
        for subject, entries in subjects.items()
        for entry in entries
    )


@dataclass(frozen=True)
class Bar:
    """What an effect has to be: above, below, at least or at most a limit, or within so much of 1."""

    kind: Kind
    limit: float
    # Set where the limit means no difference at all: an interval around it that reaches no farther says just that.
    tight: float = 0.0

    def judge(self, effect: Effect) -> Verdict:
        """A claim holds, or does not, only if the whole interval lies on one side of the limit.

        An interval on both sides says `no difference` if it lies within `tight` of the limit, else nothing. Two printed
        numbers that agree in every digit decide nothing where one has to be the larger.
        """
        low, high, limit = effect.low, effect.high, self.limit
        if low is None or high is None:
            return "within noise"
        holds, fails = {
            "above": (low > limit, high < limit),
            "below": (high < limit, low > limit),
            "at least": (low >= limit, high < limit),
            "at most": (high <= limit, low > limit),
            "within": (1 - limit < low and high < 1 + limit, high < 1 - limit or low > 1 + limit),
        }[self.kind]
        if holds or fails:
            return "holds" if holds else "does not hold"
        near = self.tight and limit - self.tight <= low and high <= limit + self.tight
        return "no difference" if near else "within noise"

    def margin(self, value: float) -> float:
        """How far a value lies on the right side; negative on the wrong one."""
        if self.kind == "within":
            return self.limit - abs(value - 1)
        return value - self.limit if self.kind in ("above", "at least") else self.limit - value


@dataclass(frozen=True)
class Case:
    """One of the comparisons that a claim speaks of; its effect is None if it was not measured."""

    name: str
    effect: Effect | None
    bar: Bar
    show: Callable[[float], str]

    @property
    def verdict(self) -> Verdict:
        """What this case alone says."""
        return "not measured" if self.effect is None else self.bar.judge(self.effect)

    @property
    def needed(self) -> str:
        """What the effect has to be: `below 0 %`."""
        if self.bar.kind == "within":
            return f"within {100 * self.bar.limit:g} % of no change"
        return f"{self.bar.kind} {self.show(self.bar.limit)}"

    @property
    def shown(self) -> str:
        """The effect with its interval: `-3.1 % [-3.9 %, -2.2 %]`."""
        if self.effect is None:
            return ""
        value = self.show(self.effect.value)
        if self.effect.low is None or self.effect.high is None:
            return f"{value}, no interval"
        if self.effect.low == self.effect.high:
            return value
        return f"{value} [{self.show(self.effect.low)}, {self.show(self.effect.high)}]"


@dataclass(frozen=True)
class Outcome:
    """What one evidence says about one claim."""

    measured: tuple[Case, ...]
    missing: tuple[str, ...]  # names of the cases that were not measured

    @property
    def worst(self) -> Case | None:
        """The case that decides: the one of the worst verdict; of equally bad ones, that of the smallest margin."""
        known = [(case, case.effect) for case in self.measured if case.effect is not None]
        ranked = sorted(known, key=lambda pair: (WORST_FIRST.index(pair[0].verdict), pair[0].bar.margin(pair[1].value)))
        return ranked[0][0] if ranked else None

    @property
    def verdict(self) -> Verdict:
        """The verdict of the case that decides."""
        return "not measured" if self.worst is None else self.worst.verdict

    @property
    def cases(self) -> int:
        """How many cases the claim speaks of."""
        return len(self.measured) + len(self.missing)


def outcome(cases: Sequence[Case]) -> Outcome:
    """The outcome of the cases that a check yields."""
    missing = tuple(case.name for case in cases if case.effect is None)
    return Outcome(tuple(case for case in cases if case.effect is not None), missing)


def percent(ratio: float) -> str:
    """A ratio as the difference in per cent: `-3.1 %`."""
    return "0 %" if ratio == 1 else f"{100 * (ratio - 1):+.1f} %"


def times(ratio: float) -> str:
    """A ratio as a multiple: `12.4 times`."""
    return f"{ratio:.3g} times"


def points(value: float) -> str:
    """A difference of percentages: `-2.9 points`."""
    return "0 points" if value == 0 else f"{value:+.1f} points"


def number(value: float) -> str:
    """A plain number, four digits."""
    return f"{value:.4g}"
