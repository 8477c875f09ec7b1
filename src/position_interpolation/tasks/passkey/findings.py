"""Claims about passkey retrieval (Table 4)."""

from collections.abc import Sequence
from dataclasses import replace

from position_interpolation.evidence import paper, select
from position_interpolation.evidence.comparison import Ratio
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, above, judged, missing, reaching
from position_interpolation.evidence.words import rate_text, whole

WHOLE = "Tuned PI retrieves the passkey over its whole window"
FARTHER = "Tuned PI retrieves from farther than extrapolation tuned for as many steps"


def passkey(rows: Sequence[Record]) -> list[Finding]:
    """Whether tuned PI reaches k_max = L', and how far extrapolation reaches.

    Args:
        rows: one group of `select.passkeys`.
    """
    if all(extension.method == "none" for extension in ordered(rows)):
        return []  # a base alone, as on its model card: no claim of the paper's is about it
    found: list[Finding] = []
    for extension in ordered(rows):
        longest = select.find(rows, extension, "k_max", extension.window)
        if extension.method == "pi" and extension.steps and longest is not None:
            found += [
                _whole_window(rows, extension, longest),
                _against_extrapolation(rows, extension, longest),
            ]
    return sighted(rows, found) or [missing(WHOLE), missing(FARTHER)]


def sighted(rows: Sequence[Record], found: Sequence[Finding]) -> list[Finding]:
    """The findings; where the base retrieves nothing even inside its own window, none of them decides anything."""
    blind = next(filter(None, (blindness(rows, extension) for extension in ordered(rows))), None)
    if blind is None:
        return list(found)
    return [replace(finding, text=f"{finding.text} {blind}", verdict="not measured") for finding in found]


def blindness(rows: Sequence[Record], extension: Extension) -> str | None:
    """A sentence if a base that is not extended retrieves nothing in its own window: then nothing is learnt here."""
    inside = select.find(rows, extension, "success", extension.base_window)
    if extension.factor > 1 or inside is None or inside.value > 0:
        return None
    return (
        f"But {names(ordered(rows))[extension]} retrieves no key inside its own window of {extension.base_window} "
        "either, so this says nothing about extension."
    )


def _whole_window(rows: Sequence[Record], extension: Extension, longest: Record) -> Finding:
    low, high = (None if end is None else end / extension.window for end in (longest.ci_low, longest.ci_high))
    share = Ratio(longest.value / extension.window, low, high, longest.n_documents or 0)
    text = (
        f"{WHOLE}: {names(ordered(rows))[extension]} reaches k_max {_tokens(longest)} of "
        f"{whole(extension.window)} tokens, {rate_text(share.value)}.{_printed(extension)}"
    )
    return judged(text, share, reaching(1.0))


def _against_extrapolation(rows: Sequence[Record], extension: Extension, longest: Record) -> Finding:
    """The effect is the difference of the two k_max, in tokens."""
    rival = Extension(extension.model, "extrapolation", extension.factor, extension.window, extension.steps)
    other = select.find(rows, rival, "k_max", extension.window)
    if other is None:
        return missing(f"{FARTHER} (at {whole(extension.window)})")
    # The two intervals are added up, which is wider than the interval of the difference.
    ends = ((longest.ci_low, other.ci_high), (longest.ci_high, other.ci_low))
    low, high = (None if ours is None or theirs is None else ours - theirs for ours, theirs in ends)
    called = names(ordered(rows))
    text = (
        f"{FARTHER}: k_max {_tokens(longest)} of {called[extension]} against {_tokens(other)} of "
        f"{called[rival]}.{_printed(rival)}"
    )
    return judged(text, Ratio(longest.value - other.value, low, high, longest.n_documents or 0), above(0.0))


def _tokens(record: Record) -> str:
    if record.ci_low is None or record.ci_high is None:
        return whole(record.value)
    return f"{whole(record.value)} [{whole(record.ci_low)}, {whole(record.ci_high)}]"


def _printed(extension: Extension) -> str:
    printed = paper.longest_passkey(extension)
    if printed is None:
        return ""
    method = "FT" if extension.method == "extrapolation" else "PI"
    return (
        f" The paper prints {whole(printed[0])} of {whole(printed[1])} for {method} "
        f"(LLaMA {paper.size(extension.model)})."
    )
