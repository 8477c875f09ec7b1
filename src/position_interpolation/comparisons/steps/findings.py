"""Claims about tuning steps (Tables 3 and 4): how soon PI has learnt its window, and that extrapolation never does."""

from collections.abc import Sequence

from position_interpolation.evidence import comparison, select, step_counts
from position_interpolation.evidence.comparison import Ratio
from position_interpolation.evidence.extensions import Extension, method_label, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, below, judged, missing, reaching
from position_interpolation.evidence.words import plural, rate_text, whole

SOON = 200  # steps, as the paper says
RECOVERS = f"PI's perplexity at L' falls below the base's at L within {SOON} steps"
REACHES = f"PI reaches k_max = L' within {SOON} steps"
STAYS = "Extrapolation's k_max stays near L: below 2 L after the longest tuning"


def perplexity_steps(rows: Sequence[Record]) -> list[Finding]:
    """Table 3's claim, for each family of PI, against the base of the same model.

    Args:
        rows: one group of `select.perplexities`.
    """
    found = []
    for family in [family for family in step_counts.families(rows) if family[0].method == "pi"]:
        base = next((item for item in ordered(rows) if (item.model, item.method) == (family[0].model, "none")), None)
        found.append(_recovers(rows, family, base))
    return found


def passkey_steps(rows: Sequence[Record]) -> list[Finding]:
    """Table 4's claims, for each family.

    Args:
        rows: one group of `select.passkeys`.
    """
    found = []
    for family in step_counts.families(rows):
        if family[0].method == "pi":
            found.append(_reaches(rows, family))
        if family[0].method == "extrapolation" and not family[0].control:
            found.append(_stays(rows, family[-1]))
    return found


def _recovers(rows: Sequence[Record], family: list[Extension], base: Extension | None) -> Finding:
    early, name = step_counts.within(family, SOON), method_label(family[0])
    ratio = None if early is None or base is None else _against(rows, early, base)
    if early is None or base is None or ratio is None:
        return missing(f"{RECOVERS} ({name})")
    first = next((item.steps for item in family if (other := _against(rows, item, base)) and _below_one(other)), None)
    when = (
        f"It is below from step {first} on, as far as steps were measured."
        if first is not None
        else f"It is not below by more than noise at any step up to {family[-1].steps}."
    )
    text = (
        f"{RECOVERS}: {name} at {early.window} after {plural(early.steps, 'step')} is at {ratio.percent()} against the "
        f"base at {base.window}, over {plural(ratio.documents, 'document')} of {rows[0].task}. {when}"
    )
    return judged(text, ratio, below(1.0))


def _against(rows: Sequence[Record], extension: Extension, base: Extension) -> Ratio | None:
    """Perplexity at L' over the base's at L, on the same documents."""
    return comparison.paired(
        comparison.document_losses(rows, extension, extension.window),
        comparison.document_losses(rows, base, base.window),
    )


def _below_one(ratio: Ratio) -> bool:
    return ratio.high is not None and ratio.high < 1


def _reaches(rows: Sequence[Record], family: list[Extension]) -> Finding:
    early, name = step_counts.within(family, SOON), method_label(family[0])
    longest = None if early is None else select.find(rows, early, "k_max", early.window)
    if early is None or longest is None:
        return missing(f"{REACHES} ({name})")
    share = _share(longest, early.window)
    text = (
        f"{REACHES}: {name} has k_max {whole(longest.value)} of {whole(early.window)} tokens, "
        f"{rate_text(share.value)}, after {plural(early.steps, 'step')}."
    )
    return judged(text, share, reaching(1.0))


def _stays(rows: Sequence[Record], last: Extension) -> Finding:
    longest = select.find(rows, last, "k_max", last.window)
    if longest is None:
        return missing(f"{STAYS} ({method_label(last)})")
    share = _share(longest, last.base_window)
    text = (
        f"{STAYS}: {method_label(last)} has k_max {whole(longest.value)} after {plural(last.steps, 'step')}, "
        f"{share.value:.2f} L. The paper prints at most 1.25 L, after 10000 steps."
    )
    return judged(text, share, below(2.0))


def _share(longest: Record, tokens: int) -> Ratio:
    low, high = (None if end is None else end / tokens for end in (longest.ci_low, longest.ci_high))
    return Ratio(longest.value / tokens, low, high, longest.n_documents or 0)
