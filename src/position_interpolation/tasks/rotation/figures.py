"""What each method does to each frequency of a base, drawn against the frequency's wavelength."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import DARK, style
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.rotation.tables import Rotated, rotated

TICKS = 6  # of the axis of wavelengths, at most
DIGITS = 6  # of a ratio: methods that agree to so many digits share a line


@drawing.styled
def rotation_figure(records: Sequence[Record]) -> Figure:
    """New frequency over old against the old wavelength in windows L; methods that do the same share a line.

    The records are of one base, extended by one factor s; the base itself may be among them.
    """
    found, among = rotated(records), ordered(records)
    factor = max(extension.factor for extension in among)
    figure, (axes,) = drawing.panels(2.2)
    for alike in _alike(found):
        wavelengths, ratios = found[alike[0]].wavelengths, found[alike[0]].ratios
        every = max(1, len(ratios) // 8)
        look = style(alike[0], among) | {"markevery": (among.index(alike[0]) % every, every)}
        axes.plot(wavelengths, ratios, label=_label(alike, found), **look)
    axes.axhline(1 / factor, color=DARK, linewidth=4, alpha=0.2, zorder=0)
    axes.axvline(1, color=DARK, linestyle="--", linewidth=1, zorder=0)
    axes.text(1, 1.02, "L", ha="center", color=DARK, transform=axes.get_xaxis_transform())
    _wavelength_axis(axes, wavelengths)
    axes.set(ylabel="new frequency / old", ylim=(-0.04, max(1.06, axes.get_ylim()[1])))
    drawing.finish(
        figure,
        f"{among[0].base}, s = {factor:g}: each method's frequencies; pale: 1/s, where Position Interpolation puts "
        "all; in brackets attention scaling, where it is not 1",
    )
    return figure


def _alike(found: dict[Extension, Rotated]) -> list[list[Extension]]:
    """Extensions grouped by what they do to the frequencies, whatever their attention scaling."""
    groups: dict[tuple[float, ...], list[Extension]] = {}
    for extension, one in found.items():
        groups.setdefault(tuple(round(ratio, DIGITS) for ratio in one.ratios), []).append(extension)
    return list(groups.values())


def _label(alike: Sequence[Extension], found: dict[Extension, Rotated]) -> str:
    """`by parts, YaRN (1.139)`."""
    scalings = {item: found[item].scaling for item in alike}
    return ", ".join(
        item.method_name + ("" if scaling == 1 else f" ({scaling:.3f})") for item, scaling in scalings.items()
    )


def _wavelength_axis(axes: Axes, wavelengths: Sequence[float]) -> None:
    """Ticks at powers of two, as fractions below 1."""
    low, high = math.ceil(math.log2(min(wavelengths))), math.floor(math.log2(max(wavelengths)))
    powers = range(high - high % 2, low - 1, -2 * math.ceil((high - low) / (2 * TICKS)))
    axes.set_xscale("log", base=2)
    axes.set_xticks(
        [2.0**power for power in powers], [f"{2**power}" if power >= 0 else f"1/{2**-power}" for power in powers]
    )
    axes.minorticks_off()
    axes.set_xlabel("wavelength of the frequency (windows L)")
