"""Which setting of a sweep is best, and how much a choice that the paper leaves open moves perplexity."""

from collections.abc import Sequence

from position_interpolation.records import Record
from position_interpolation.report import compare
from position_interpolation.report.labels import Extension, ordered, plural
from position_interpolation.report.settings.tables import (
    Setting,
    against_first,
    at_own_window,
    by_rate,
    family_label,
    is_sweep,
    rate,
    setting_text,
    settings,
    swept,
    under,
    under_extension,
)
from position_interpolation.report.verdicts import Finding, below, between, judged, missing

BEST = "The best learning rate is better than the next by more than noise"
SMALL = 0.01  # of perplexity: what Table 1's rows at L differ by


def compared(rows: Sequence[Record]) -> list[Finding]:
    """What a sweep or a comparison of choices says.

    Args:
        rows: one group of `groups.compared`.
    """
    if is_sweep(rows):
        return [_best(rows, family) for family in swept(rows).values()]
    return [finding for item in ordered(rows) for finding in _choices(rows, item)]


def _best(rows: Sequence[Record], family: list[Extension]) -> Finding:
    """The lowest perplexity at L' of all rates and steps, against the lowest of any other rate."""
    lowest: dict[Setting, tuple[float, Extension]] = {}
    for setting in by_rate(rows):
        found = [(record.value, item) for item in family if (record := at_own_window(rows, item, setting)) is not None]
        if found:
            lowest[setting] = min(found, key=lambda pair: pair[0])
    first, *others = sorted(lowest, key=lambda setting: lowest[setting][0])
    named = f"{BEST}: {family_label(family)}"
    if not others:
        return missing(f"{named}, one rate alone")
    (value, ours), (other, theirs) = lowest[first], lowest[others[0]]
    ratio = compare.paired(
        compare.document_losses(under(rows, first), ours, ours.window),
        compare.document_losses(under(rows, others[0]), theirs, theirs.window),
    )
    if ratio is None:
        return missing(named)
    text = (
        f"{named} is best at {rate(first):g} after {ours.steps} steps, perplexity {value:,.2f} at {ours.window}; next "
        f"{rate(others[0]):g} after {theirs.steps} steps, {other:,.2f}: {ratio.percent()} over "
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
        claim = f"Perplexity at L' moves by less than {SMALL:.0%} with {key} {value} for {dict(first).get(key)}"
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
