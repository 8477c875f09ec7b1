"""How every figure draws a line, labels a logarithmic axis and is saved."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display.colours import colour
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.machine import files

MARKERS = {1: "o", 2: "v", 4: "D", 8: "s", 16: "^"}
# Dates and program versions would change the bytes of an unchanged figure.
METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem`.png (150 dots per inch) and `stem`.pdf, whole or not at all, without dates."""
    written = []
    for kind, metadata in METADATA.items():
        path = stem.with_name(f"{stem.name}.{kind}")

        def draw(temporary: Path, kind: str = kind, metadata: dict[str, None] = metadata) -> None:
            figure.savefig(temporary, format=kind, dpi=150, metadata=metadata)

        files.write(path, draw)
        written.append(path)
    return written


def line(
    axes: Axes,
    own: Sequence[Record],
    places: Sequence[float],
    extension: Extension,
    among: Sequence[Extension],
    label: str,
) -> None:
    """One extension's values with interval bars where there are intervals."""
    axes.plot(places, [record.value for record in own], label=label, **style(extension, among))
    for place, record in zip(places, own, strict=True):
        if record.ci_low is not None and record.ci_high is not None:
            shade = colour(extension, among)
            axes.plot([place] * 2, [record.ci_low, record.ci_high], marker="_", color=shade, linewidth=1.5)


def style(extension: Extension, among: Sequence[Extension]) -> dict[str, Any]:
    """Colour says the method, marker the factor; untuned is dotted and hollow, tuned solid."""
    shade = colour(extension, among)
    tuned = extension.steps > 0 or extension.method == "none"
    return {
        "color": shade,
        "marker": MARKERS.get(round(extension.factor), "o"),
        "markerfacecolor": shade if tuned else "white",
        "linestyle": "-" if tuned else ":",
        "linewidth": 1.6,
        "markersize": 6,
    }


def tick(value: float, _: int) -> str:
    """Label 1, 2 and 5 of every decade in plain numbers; others would crowd."""
    leading = value / 10 ** math.floor(math.log10(value))
    return f"{value:,.10g}" if round(leading, 6) in (1, 2, 5) else ""
