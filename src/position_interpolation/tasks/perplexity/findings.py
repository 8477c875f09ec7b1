"""Claims about Tables 1 and 2: the base explodes, PI does not, and what it costs at the old window.

A comparison of two perplexities is paired: same documents, and a bootstrap over documents of the difference.
"""

from collections.abc import Sequence

from position_interpolation.evidence import comparison, paper, select
from position_interpolation.evidence.extensions import Extension, extension_of, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import EXPLOSION, Finding, above, below, judged, missing
from position_interpolation.evidence.words import plural


def perplexity(rows: Sequence[Record]) -> list[Finding]:
    """Claims about Tables 1 to 3.

    Args:
        rows: one group of `select.perplexities`.
    """
    found = []
    for base in [extension for extension in ordered(rows) if extension.method == "none" and not extension.steps]:
        family = [extension for extension in ordered(rows) if extension.model == base.model]
        found.append(_explosion(rows, base))
        factors = sorted({extension.factor for extension in family if extension.method == "pi"})
        for factor in factors:
            found += _at_own_window(rows, base, [item for item in family if item.factor == factor])
        for tuned in [extension for extension in family if extension.method == "pi" and extension.steps]:
            found += _at_original_window(rows, base, tuned, [item for item in family if item.control])
    return found


def _explosion(rows: Sequence[Record], base: Extension) -> Finding:
    """Perplexity of the untuned base at the largest window measured, against its own."""
    claim = "The untuned base explodes past its window"
    far = max((record.eval_window or 0 for record in rows if extension_of(record) == base), default=0)
    ratio = _compared(rows, (base, far), (base, base.window)) if far > base.window else None
    if ratio is None:
        return missing(f"{claim} ({base.model}, {rows[0].task})")
    text = (
        f"{claim}: {base.model} has perplexity {_value(rows, base, far)} at {far} against "
        f"{_value(rows, base, base.window)} at {base.window}, {ratio.times()} over "
        f"{plural(ratio.documents, 'document')} of {rows[0].task}."
        f"{_printed(rows, (base, far), (base, base.window))}"
    )
    return judged(text, ratio, above(EXPLOSION))


def _at_own_window(rows: Sequence[Record], base: Extension, family: list[Extension]) -> list[Finding]:
    """Claims about the extensions of one factor, at their own window L'."""
    window = family[0].window
    interpolated = [item for item in family if item.method == "pi"]
    untuned = next((item for item in interpolated if not item.steps), None)
    tuned: list[Extension | None] = [item for item in interpolated if item.steps]
    found = [_better(rows, untuned, base, window, "Untuned PI beats the untuned base past its window")]
    for extension in tuned or [None]:
        steps = None if extension is None else extension.steps
        rival = next((item for item in family if (item.method, item.steps) == ("extrapolation", steps)), None)
        found += [
            _better(rows, extension, base, window, "Tuned PI beats the untuned base past its window"),
            _better(rows, extension, untuned, window, "Tuning improves PI"),
            _better(rows, extension, rival, window, "Tuned PI beats extrapolation tuned for as many steps"),
        ]
    return found


def _at_original_window(
    rows: Sequence[Record], base: Extension, tuned: Extension, controls: list[Extension]
) -> list[Finding]:
    """The price of interpolation at L; a base tuned as long takes out what the tuning text alone brings."""
    window = base.window
    found = [_better(rows, tuned, base, window, "At the original window tuned PI loses nothing to the base")]
    for control in [item for item in controls if item.steps == tuned.steps]:
        claim = "At the original window tuned PI loses nothing to the base trained as long on the same text"
        found.append(_better(rows, tuned, control, window, claim))
    return found


def _better(
    rows: Sequence[Record], ours: Extension | None, other: Extension | None, window: int, claim: str
) -> Finding:
    """The claim that `ours` has the lower perplexity at a window."""
    ratio = None if ours is None or other is None else _compared(rows, (ours, window), (other, window))
    if ours is None or other is None or ratio is None:
        return missing(f"{claim} (at {window}, {rows[0].task})")
    called = names(ordered(rows))
    text = (
        f"{claim}: at {window}, {called[ours]} has perplexity {_value(rows, ours, window)} against "
        f"{_value(rows, other, window)} of {called[other]}, {ratio.percent()} over "
        f"{plural(ratio.documents, 'document')} of {rows[0].task}."
        f"{_printed(rows, (ours, window), (other, window))}"
    )
    return judged(text, ratio, below(1.0))


def _compared(
    rows: Sequence[Record], left: tuple[Extension, int], right: tuple[Extension, int]
) -> comparison.Ratio | None:
    ours, other = (comparison.document_losses(rows, *side) for side in (left, right))
    return comparison.paired(ours, other, same_tokens=left[1] == right[1])


def _value(rows: Sequence[Record], extension: Extension, window: int) -> str:
    record = select.find(rows, extension, "perplexity", window, "token")
    return "not recorded" if record is None else f"{record.value:,.2f}"


def _printed(rows: Sequence[Record], left: tuple[Extension, int], right: tuple[Extension, int]) -> str:
    """The paper's two numbers, if it prints both."""
    values = [paper.perplexity(extension, rows[0].task, window) for extension, window in (left, right)]
    known = [paper.text(value) for value in values if value is not None]
    if len(known) < 2:
        return ""
    first, second = known
    return f" The paper prints {first} against {second} (LLaMA {paper.size(left[0].model)})."
