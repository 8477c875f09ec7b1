"""Which setting of a sweep is best, and how much a choice that the paper leaves open moves perplexity."""

from collections.abc import Sequence

from position_interpolation.comparisons.settings.tables import (
    Setting,
    against_first,
    at_own_window,
    by_rate,
    family_label,
    is_sweep,
    key_text,
    rate,
    setting_text,
    settings,
    swept,
    under,
    under_extension,
)
from position_interpolation.evidence import comparison
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.verdicts import Finding, below, between, judged, missing
from position_interpolation.evidence.words import plural

BEST = "The best learning rate is better than the next by more than noise"
SMALL = 0.01  # of perplexity: what Table 1's rows at L differ by


def compared(rows: Sequence[Record]) -> list[Finding]:
    """What a sweep or a comparison of choices says.

    Args:
        rows: one group of `select.compared`.
    """
    if is_sweep(rows):
        return [_best(rows, family) for family in swept(rows).values()]
    return [finding for item in ordered(rows) for finding in _choices(rows, item)]


def _best(rows: Sequence[Record], family: list[Extension]) -> Finding:
    """The rate of the lowest perplexity at L', against the next, after the most steps that two rates have."""
    named = f"{BEST}: {family_label(family)}"
    for item in reversed(family):
        measured = {setting: at_own_window(rows, item, setting) for setting in by_rate(rows)}
        values = {setting: record.value for setting, record in measured.items() if record is not None}
        if len(values) > 1:
            break
    else:
        return missing(f"{named}, no two rates for as many steps")
    first, second, *_ = sorted(values, key=lambda setting: values[setting])
    ratio = comparison.paired(
        comparison.document_losses(under(rows, first), item, item.window),
        comparison.document_losses(under(rows, second), item, item.window),
    )
    if ratio is None:
        return missing(named)
    text = (
        f"{named} is best at {rate(first):g} after {item.steps} steps, perplexity {values[first]:,.2f} at "
        f"{item.window}; next {rate(second):g}, {values[second]:,.2f}: {ratio.percent()} over "
        f"{plural(ratio.documents, 'document')}.{_edge(rows, first)}"
    )
    return judged(text, ratio, below(1.0))


def _edge(rows: Sequence[Record], best: Setting) -> str:
    """A warning if the best rate is the lowest or highest tried."""
    tried = by_rate(rows)
    return " It is at the edge of what was tried." if best in (tried[0], tried[-1]) else ""


def _choices(rows: Sequence[Record], item: Extension) -> list[Finding]:
    """For each choice made otherwise alone: whether perplexity at L' stays within one per cent."""
    first, *others = settings(under_extension(rows, item))
    found = []
    for setting in others:
        changed = [(key, value) for key, value in setting if dict(first).get(key) != value]
        if len(changed) != 1:
            continue
        (key, value) = changed[0]
        claim = (
            f"Perplexity at L' moves by less than {SMALL:.0%} with {key_text(key)} {value} for {dict(first).get(key)}"
        )
        ratio = against_first(rows, item, setting)
        if ratio is None:
            found.append(missing(claim.replace("%", " %")))
            continue
        text = (
            f"{claim}: {item.label} at {item.window} by {ratio.percent()} over {plural(ratio.documents, 'document')}, "
            f"against {setting_text(first)}."
        )
        found.append(judged(text.replace("1%", "1 %"), ratio, between(1 - SMALL, 1 + SMALL)))
    return found
