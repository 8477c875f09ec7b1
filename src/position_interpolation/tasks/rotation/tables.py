"""Methods by what they do to the frequencies of a base."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from position_interpolation.display.tables import EXTENSION, Column, Table, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record

RATIO, WAVELENGTH, SCALING = "frequency_ratio", "wavelength", "attention_scaling"  # metrics
SAME = 1e-6  # two ratios that differ by less are the same: the rounding of float64 is smaller
CAPTION = (
    "How many of the base's frequencies each method keeps, divides by s, or treats otherwise. Attention scaling "
    "multiplies cos and sin, so its square multiplies every attention score."
)


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

    def counted(wanted: Callable[[float, float], bool], extension: Extension) -> int:
        divided = 1 / extension.factor
        return sum(wanted(ratio, divided) for ratio in found[extension].ratios)

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
