"""Lines of a panel moved sideways, by points, where their marks would lie over each other."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations, pairwise, product

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

Mark = tuple[float, float, float]  # place, lower and upper end, all in points

STEP = 3.6  # points between two lines, where places are far enough apart
SHARE = 0.5  # of the room between two places of one line that the lines may take
WIDE, HIGH = 2.5, 2.0  # marks that come nearer than this many points, across and upwards, lie over each other
POINTS = 72  # an inch


@contextmanager
def together(axes: Axes, name: str) -> Iterator[None]:
    """What is drawn inside is one line with its intervals, and is moved as a whole."""
    before = len(axes.lines)
    yield
    for artist in axes.lines[before:]:
        artist.set_gid(name)


def move_apart(axes: Axes) -> bool:
    """Move the lines of a panel apart, all by the same step, if a mark of one lies over a mark of another.

    Returns whether they were moved.

    Only what is drawn moves: the numbers and the axis stay. Dense curves with few markers are not moved; whoever draws
    them puts the markers of each curve at points of its own.
    """
    found: dict[str, list[Line2D]] = defaultdict(list)  # the artists of each line that was drawn `together`
    for artist in axes.lines:
        if artist.get_gid():
            found[str(artist.get_gid())].append(artist)
    if any(artist.get_markevery() not in (None, (0, 1)) for artists in found.values() for artist in artists):
        return False
    axes.autoscale_view()
    marks = [[mark for artist in artists for mark in _marks(axes, artist)] for artists in found.values()]
    if not any(_overlap(one, other) for pair in combinations(marks, 2) for one, other in product(*pair)):
        return False
    step = min(STEP, SHARE * _room(marks) / len(marks), _margin(axes, marks) / ((len(marks) - 1) / 2))
    for number, artists in enumerate(found.values()):
        shift = step * (number - (len(found) - 1) / 2) / POINTS
        for artist in artists:
            artist.set_transform(axes.transData + ScaledTranslation(shift, 0, axes.figure.dpi_scale_trans))
    return True


def _overlap(one: Mark, other: Mark) -> bool:
    """Whether two marks lie over each other."""
    near = abs(one[0] - other[0]) < WIDE
    return near and one[1] - HIGH < other[2] + HIGH and other[1] - HIGH < one[2] + HIGH


def _marks(axes: Axes, artist: Line2D) -> list[Mark]:
    """An interval's bar, or a mark at each point."""
    scale = POINTS / axes.figure.dpi
    places = [(float(x) * scale, float(y) * scale) for x, y in axes.transData.transform(artist.get_xydata())]
    if artist.get_marker() == "_":
        heights = [height for _, height in places]
        return [(places[0][0], min(heights), max(heights))]
    return [(place, height, height) for place, height in places]


def _room(marks: list[list[Mark]]) -> float:
    """Points between the nearest two places of one line."""
    each = (sorted({mark[0] for mark in line}) for line in marks)
    apart = (after - before for places in each for before, after in pairwise(places))
    return min(apart, default=float("inf"))


def _margin(axes: Axes, marks: list[list[Mark]]) -> float:
    """Points by which a mark can move before it reaches an end of the axis."""
    places = [mark[0] for line in marks for mark in line]
    left, right = (end * POINTS / axes.figure.dpi for end in axes.bbox.intervalx)
    return max(0.0, min(min(places) - left, right - max(places)) - WIDE)
