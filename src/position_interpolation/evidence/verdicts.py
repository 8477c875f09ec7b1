"""A finding: one claim of the paper, what was measured, and what that says about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from position_interpolation.evidence.comparison import Ratio

Verdict = Literal["holds", "does not hold", "within noise", "not measured"]
Judge = Callable[[float, float], Verdict]

# "Explodes" means at least this many times the perplexity inside the window: 0.69 nats a token, far beyond
# what any tuning brings.
EXPLOSION = 2.0


@dataclass(frozen=True)
class Finding:
    """One claim with its numbers in words, the verdict, and the effect behind it with its 95 % interval.

    The effect is a ratio, or in tokens or a share of the window where k_max is compared, or in points of ROUGE.
    """

    text: str
    verdict: Verdict
    effect: float | None = None
    low: float | None = None
    high: float | None = None


def above(limit: float) -> Judge:
    """The claim is an effect above `limit`."""

    def judge(low: float, high: float) -> Verdict:
        return "holds" if low > limit else "does not hold" if high < limit else "within noise"

    return judge


def below(limit: float) -> Judge:
    """The claim is an effect below `limit`."""

    def judge(low: float, high: float) -> Verdict:
        return "holds" if high < limit else "does not hold" if low > limit else "within noise"

    return judge


def reaching(limit: float) -> Judge:
    """The claim is an effect of at least `limit`."""

    def judge(low: float, high: float) -> Verdict:
        return "holds" if low >= limit else "does not hold" if high < limit else "within noise"

    return judge


def within(limit: float) -> Judge:
    """The claim is an effect of at most `limit`."""

    def judge(low: float, high: float) -> Verdict:
        return "holds" if high <= limit else "does not hold" if low > limit else "within noise"

    return judge


def between(least: float, most: float) -> Judge:
    """The claim is an effect inside a band."""

    def judge(low: float, high: float) -> Verdict:
        if least < low and high < most:
            return "holds"
        return "does not hold" if high < least or low > most else "within noise"

    return judge


def judged(text: str, ratio: Ratio, judge: Judge) -> Finding:
    """A finding whose whole interval decides; without an interval nothing can be told from noise."""
    if ratio.low is None or ratio.high is None:
        text = f"{text} One document or trial gives no interval, so nothing is concluded."
        return Finding(text, "within noise", ratio.value)
    return Finding(text, judge(ratio.low, ratio.high), ratio.value, ratio.low, ratio.high)


def missing(claim: str) -> Finding:
    """A claim whose records are absent."""
    return Finding(f"{claim}: no records.", "not measured")


def exact(text: str, effect: float, true: bool) -> Finding:
    """A finding about a computed number, which has no interval."""
    return Finding(text, "holds" if true else "does not hold", effect, effect, effect)
