"""What a page shows of the frequencies: what each method does to each frequency of a base."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.display.colours import DARK, style
from position_interpolation.display.section import Section
from position_interpolation.display.tables import EXTENSION, Column, Table, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.rotation.config import RATIO, SCALING, WAVELENGTH

SAME = 1e-6  # two ratios that differ by less are the same: the rounding of float64 is smaller
CAPTION = (
    "How many of the base's frequencies each method keeps, divides by s, or treats otherwise. Attention scaling "
    "multiplies cos and sin, so its square multiplies every attention score."
)
TICKS = 6  # of the axis of wavelengths, at most
DIGITS = 6  # of a ratio: methods that agree to so many digits share a line


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """What each method does to each frequency: a table per base, a figure per factor."""
    measured = [record for record in records if record.task == "rotation" and select.plain(record)]
    for model in dict.fromkeys(record.model for record in measured):
        found = [record for record in measured if record.model == model]
        whole = rotated(found)
        rows = [record for record in found if extension_of(record) in whole]
        if not rows:
            continue
        drawings = tuple(
            (f"rotation_x{factor:g}", partial(rotation_figure, own)) for factor, own in select.by_factor(rows).items()
        )
        title = f"What happens to each frequency: {model}"
        yield Section(title, rows, "rotation", rotation_table(rows), drawings)


@dataclass(frozen=True)
class Rotated:
    """What a method does to a base; the fastest frequency comes first."""

    wavelengths: tuple[float, ...]  # of the base, in windows L
    ratios: tuple[float, ...]  # new frequency over the base's
    scaling: float  # attention scaling, a factor of cos and sin


def rotated(records: Sequence[Record]) -> dict[Extension, Rotated]:
    """What each extension does, in the order of tables; one whose rows are not all there is left out."""
    found = {}
    for extension in ordered(records):
        wavelengths, ratios = (
            tuple(record.value for record in select.along(records, extension, metric).values())
            for metric in (WAVELENGTH, RATIO)
        )
        scaling = select.find(records, extension, SCALING)
        if scaling is not None and len(wavelengths) == len(ratios) > 0:
            found[extension] = Rotated(wavelengths, ratios, scaling.value)
    return found


def rotation_table(records: Sequence[Record]) -> Table:
    """One row per extension: its attention scaling, and how many frequencies it treats in which way."""
    found = rotated(records)

    def counted(holds: Callable[[float, float], bool], extension: Extension) -> int:
        divided = 1 / extension.factor
        return sum(holds(ratio, divided) for ratio in found[extension].ratios)

    columns = (
        *EXTENSION[:3],
        Column("Attention scaling", lambda extension: found[extension].scaling, "{:.3f}".format),
        Column("Kept", partial(counted, lambda ratio, _: abs(ratio - 1) <= SAME)),
        Column("Between", partial(counted, lambda ratio, least: least + SAME < ratio < 1 - SAME)),
        Column("Divided by s", partial(counted, lambda ratio, least: abs(ratio - least) <= SAME < 1 - least)),
        Column("Slower still", partial(counted, lambda ratio, least: 0 < ratio < least - SAME)),
        Column("Standing still", partial(counted, lambda ratio, _: ratio == 0)),
    )
    return fill(found, columns, CAPTION)


@drawing.styled
def rotation_figure(records: Sequence[Record]) -> Figure:
    """New frequency over old against the old wavelength in windows L; methods that do the same share a line.

    The records are of one base, extended by one factor s; the base itself may be among them.
    """
    found, among = rotated(records), ordered(records)
    factor = max(extension.factor for extension in among)
    figure, (axes,) = drawing.panels(2.2)
    # Alike are extensions that do the same to the frequencies, whatever their attention scaling.
    groups = select.gathered(found, lambda item: tuple(round(ratio, DIGITS) for ratio in found[item].ratios))
    for alike in groups.values():
        wavelengths, ratios = found[alike[0]].wavelengths, found[alike[0]].ratios
        every = max(1, len(ratios) // 8)
        look = style(alike[0], among) | {"markevery": (among.index(alike[0]) % every, every)}
        scalings = {item.method_name: found[item].scaling for item in alike}
        label = ", ".join(name + ("" if scaling == 1 else f" ({scaling:.3f})") for name, scaling in scalings.items())
        axes.plot(wavelengths, ratios, label=label, **look)  # `by parts, YaRN (1.139)`
    axes.axhline(1 / factor, color=DARK, linewidth=4, alpha=0.2, zorder=0)
    drawing.mark(axes, 1, "L")
    _wavelength_axis(axes, wavelengths)
    axes.set(ylabel="new frequency / old", ylim=(-0.04, max(1.06, axes.get_ylim()[1])))
    return drawing.finish(
        figure,
        f"{among[0].base}, s = {factor:g}: each method's frequencies; pale: 1/s, where Position Interpolation puts "
        "all; in brackets attention scaling, where it is not 1",
    )


def _wavelength_axis(axes: Axes, wavelengths: Sequence[float]) -> None:
    """Ticks at powers of two, as fractions below 1."""
    low, high = math.ceil(math.log2(min(wavelengths))), math.floor(math.log2(max(wavelengths)))
    powers = range(high - high % 2, low - 1, -2 * max(1, math.ceil((high - low) / (2 * TICKS))))
    labels = [f"{2**power}" if power >= 0 else f"1/{2**-power}" for power in powers]
    drawing.log_ticks(axes, [2.0**power for power in powers], labels)
    axes.set_xlabel("wavelength of the frequency (windows L)")
