"""Checks of real heads: how far interpolation strays from its bounds, and whether scores grow past the window."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from position_interpolation.evidence.comparison import exact
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Bar, Case, Kind, number, times


def numbers(
    evidence: Evidence, name: str, over: str, kind: Kind, limit: float, under: str | None = None,
    beside: Sequence[str] = (),
) -> Iterator[Case]:  # fmt: skip
    """A number of every model's heads, the metric `over`, by itself or divided by the metric `under`.

    It is exact for the heads that were measured. The metrics `beside` are stated with it.
    """
    for model in evidence.models:
        effect = evidence.number("heads", over, model)
        if under is not None:
            second = evidence.number("heads", under, model)
            effect = exact(effect.value / second.value, effect.sources[0]) if effect and second else None
        known = {metric: evidence.number("heads", metric, model) for metric in beside}
        told = ", ".join(f"{metric.replace('_', ' ')} {found.value:.4g}" for metric, found in known.items() if found)
        effect = None if effect is None else replace(effect, detail=told)
        show = times if under or "_over_" in over else number
        yield Case(f"{model}: {name}", effect, Bar(kind, limit), show)
