"""Claims about zero-shot benchmarks at the original window (section 3.4, Table 5)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from position_interpolation.evidence import paper
from position_interpolation.evidence.comparison import Ratio
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, below, judged, missing, reaching
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.benchmarks.questions import SETS
from position_interpolation.tasks.benchmarks.tables import (
    TITLES,
    YES,
    asked,
    find,
    margin_changed,
    points,
    points_changed,
)

COST = "At the original window PI tuned at 4 L costs at most 2 points of accuracy"
GROWTH = "The loss at the original window grows with the factor"
ALLOWED = -0.02


def benchmarks(rows: Sequence[Record]) -> list[Finding]:
    """What tuned PI costs on each set, and whether a larger factor costs more; effects are shares of one.

    Args:
        rows: one table of `tables.by_sample`.
    """
    found = []
    tuned = [extension for extension in ordered(rows) if extension.method == "pi" and extension.steps]
    for extension in tuned:
        if extension.factor == 4:
            found += [_cost(rows, extension, name) for name in asked(rows)]
    if not found:
        found.append(missing(COST))
    grown = []
    for base, steps in dict.fromkeys((item.base, item.steps) for item in tuned):
        family = [item for item in tuned if (item.base, item.steps) == (base, steps)]
        if len(family) > 1:
            grown += [_growth(rows, family[0], family[-1], name) for name in asked(rows)]
    return found + (grown or [missing(GROWTH)])


def _cost(rows: Sequence[Record], extension: Extension, name: str) -> Finding:
    change = find(rows, extension, name, "accuracy_change")
    if change is None:
        return missing(f"{COST} ({TITLES[name]})")
    text = (
        f"{COST}: on {plural(change.n_documents or 0, 'question')} of {TITLES[name]} "
        f"{names(ordered(rows))[extension]} changes accuracy by {_points(change)}{_margin(rows, extension, name)}."
        f"{_printed(extension.untouched, extension, name)}"
    )
    effect = Ratio(change.value, change.ci_low, change.ci_high, change.n_documents or 0)
    return _sound(judged(text, effect, reaching(ALLOWED)), rows, extension, name)


def _growth(rows: Sequence[Record], less: Extension, more: Extension, name: str) -> Finding:
    """The effect is the difference of two changes; their intervals are added up, which is wider than its own."""
    first, last = (find(rows, extension, name, "accuracy_change") for extension in (less, more))
    if first is None or last is None:
        return missing(f"{GROWTH} ({TITLES[name]})")
    called = names(ordered(rows))
    text = (
        f"{GROWTH}: on {TITLES[name]} {called[more]} changes accuracy by {_points(last)}"
        f"{_margin(rows, more, name)}; {called[less]} by {_points(first)}{_margin(rows, less, name)}."
        f"{_printed(less, more, name)}"
    )
    ends = ((last.ci_low, first.ci_high), (last.ci_high, first.ci_low))
    low, high = (None if ours is None or theirs is None else ours - theirs for ours, theirs in ends)
    effect = Ratio(last.value - first.value, low, high, last.n_documents or 0)
    return _sound(judged(text, effect, below(0.0)), rows, less, name)


def _sound(finding: Finding, rows: Sequence[Record], extension: Extension, name: str) -> Finding:
    """The finding, or less than it: a base that only guesses has nothing to lose, and no change has no spread."""
    base = find(rows, extension.untouched, name, "accuracy")
    if base is not None and guesses(base, name):
        rival = "always answering yes" if name == "boolq" else "chance"
        text = (
            f" But the base itself is right in {points(base.value)} %, not clearly above the {points(chance(name))} % "
            f"of {rival}, so accuracy says nothing about extension."
        )
        return replace(finding, text=finding.text + text, verdict="not measured")
    if finding.low is not None and finding.low == finding.high:
        return replace(finding, text=f"{finding.text} No draw differs, so no spread is known.", verdict="within noise")
    return finding


def guesses(base: Record, name: str) -> bool:
    """Whether a base's accuracy on a set is not clearly above what needs no model: then it has nothing to lose."""
    return (base.value if base.ci_low is None else base.ci_low) <= chance(name)


def chance(name: str) -> float:
    """The share of a set that is right without a model: by guessing, or by always answering yes."""
    return YES if name == "boolq" else 1 / SETS[name]


def _points(change: Record) -> str:
    """The change of accuracy with its interval: `-2.9 points [-4.1, -1.7]`."""
    return f"{points_changed(change.value)} points{_interval(change, points_changed)}"


def _margin(rows: Sequence[Record], extension: Extension, name: str) -> str:
    change = find(rows, extension, name, "margin_change")
    if change is None:
        return ""
    return f" and the margin by {margin_changed(change.value)} nats a byte{_interval(change, margin_changed)}"


def _interval(record: Record, show: Callable[[float], str]) -> str:
    if record.ci_low is None or record.ci_high is None:
        return ""
    return f" [{show(record.ci_low)}, {show(record.ci_high)}]"


def _printed(first: Extension, second: Extension, name: str) -> str:
    """The paper's two accuracies, if it prints both."""
    known = [paper.accuracy(extension, name) for extension in (second, first)]
    if known[0] is None or known[1] is None:
        return ""
    return f" The paper prints {points(known[0])} against {points(known[1])} (LLaMA {paper.size(second.model)})."
