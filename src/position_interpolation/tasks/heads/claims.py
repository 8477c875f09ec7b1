"""Checks of real heads: how far interpolation strays from its bounds, and whether scores grow past the window."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.judging import Bar, Case, Kind, number, times
from position_interpolation.tasks.theory.claims import quotient


def numbers(
    evidence: Evidence, name: str, over: str, kind: Kind, limit: float, under: str | None = None,
    beside: Sequence[str] = (),
) -> Iterator[Case]:  # fmt: skip
    """A number of every model's heads, the metric `over`, by itself or divided by the metric `under`.

    It is exact for the heads that were measured. The metrics `beside` are stated with it.
    """
    for model in evidence.models:
        effect = quotient(evidence, "heads", over, under, model=model)
        known = {metric: evidence.number("heads", metric, model) for metric in beside}
        told = ", ".join(f"{metric.replace('_', ' ')} {found.value:.4g}" for metric, found in known.items() if found)
        effect = None if effect is None else replace(effect, detail=told)
        show = times if under or "_over_" in over else number
        yield Case(f"{model}: {name}", effect, Bar(kind, limit), show)
