"""From effects to a verdict: every case that a claim speaks of has to hold, so the worst one counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from position_interpolation.evidence.effects import Effect
from position_interpolation.evidence.verdicts import Judge, Verdict, above, below, reaching, within

Show = Callable[[float], str]
Kind = Literal["above", "below", "at least", "at most"]
JUDGES: dict[Kind, Callable[[float], Judge]] = {
    "above": above,
    "below": below,
    "at least": reaching,
    "at most": within,
}
WORST_FIRST: tuple[Verdict, ...] = ("does not hold", "within noise", "holds")


@dataclass(frozen=True)
class Bar:
    """What an effect has to be: above, below, at least or at most a limit."""

    kind: Kind
    limit: float

    def judge(self, effect: Effect) -> Verdict:
        """A claim holds, or does not, only if the whole interval lies on one side.

        Two printed numbers that agree in every digit decide nothing where one has to be the larger.
        """
        if effect.low is None or effect.high is None:
            return "within noise"
        return JUDGES[self.kind](self.limit)(effect.low, effect.high)

    def margin(self, value: float) -> float:
        """How far a value lies on the right side; negative on the wrong one."""
        return value - self.limit if self.kind in ("above", "at least") else self.limit - value


@dataclass(frozen=True)
class Case:
    """One of the comparisons that a claim speaks of; no effect if it was not measured."""

    name: str
    effect: Effect | None
    bar: Bar
    show: Show

    @property
    def verdict(self) -> Verdict:
        """What this case alone says."""
        return "not measured" if self.effect is None else self.bar.judge(self.effect)

    @property
    def needed(self) -> str:
        """What the effect has to be: `below 0 %`."""
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

    verdict: Verdict
    worst: Case | None  # the case that decides; None if nothing was measured
    measured: tuple[Case, ...]
    missing: tuple[str, ...]  # names of the cases that were not measured

    @property
    def cases(self) -> int:
        """How many cases the claim speaks of."""
        return len(self.measured) + len(self.missing)


def outcome(cases: Sequence[Case]) -> Outcome:
    """The verdict of the worst case; among equally bad ones, of that with the smallest margin."""
    known = [(case, case.effect) for case in cases if case.effect is not None]
    missing = tuple(case.name for case in cases if case.effect is None)
    if not known:
        return Outcome("not measured", None, (), missing)
    worst, _ = min(known, key=lambda pair: (WORST_FIRST.index(pair[0].verdict), pair[0].bar.margin(pair[1].value)))
    return Outcome(worst.verdict, worst, tuple(case for case, _ in known), missing)


def percent(ratio: float) -> str:
    """A ratio as the difference in per cent: `-3.1 %`."""
    return "0 %" if ratio == 1 else f"{100 * (ratio - 1):+.1f} %"


def times(ratio: float) -> str:
    """A ratio as a multiple: `12.4 times`."""
    return f"{ratio:.3g} times"


def share(value: float) -> str:
    """A share of a window: `56.2 %`."""
    return f"{100 * value:.1f} %"


def points(value: float) -> str:
    """A difference of percentages: `-2.9 points`."""
    return "0 points" if value == 0 else f"{value:+.1f} points"


def number(value: float) -> str:
    """A plain number, four digits."""
    return f"{value:.4g}"
