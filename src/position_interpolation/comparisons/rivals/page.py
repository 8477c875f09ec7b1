"""The frontier: what a method loses at L against what it gains at L', before and after tuning."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.rivals import tables
from position_interpolation.comparisons.rivals.by_position import as_windows
from position_interpolation.comparisons.rivals.steps import steps_figure
from position_interpolation.display import drawing
from position_interpolation.display.colours import DARK, LOOKS, OTHER, style
from position_interpolation.display.section import Section
from position_interpolation.evidence import extensions, select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record

Place = tuple[Effect, Effect]  # perplexity at L and at L', each over that of the base at L

CLOSE = 1.5  # times the base's perplexity: points within it on both axes are drawn again, larger
FEWEST = 3  # such points make a panel of their own


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Rivals of the paper's methods beside them, by text; the records are those of every seed."""
    keys = [row for row in records if (row.task, row.protocol) == ("passkey", tables.RULE) and select.plain(row)]
    groups = {group: rows for group, rows in select.perplexities(records).items() if select.has_rivals(rows)}
    if not groups:  # of these rivals no windows were scored, but perhaps what lies inside L and past it in one forward
        positions = select.positions(records).items()
        groups = {group: found for group, rows in positions if select.has_rivals(rows) and (found := as_windows(rows))}
    for group, rows in groups.items():
        what = " by position:" if tables.ends(rows) == tables.POSITIONS else f": {group.task},"
        title = f"Methods compared{what} {group.source} text"
        yield Section(title, rows, "rivals", tables.rivals_table(rows, keys), tuple(_drawings(rows, keys)))


def _drawings(rows: Sequence[Record], keys: Sequence[Record]) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """For each factor what tuning brings, where several step counts were measured, and the frontier."""
    for factor, own in select.by_factor(rows).items():
        if frontier(own):
            if extensions.families(own):
                yield f"tuning_x{factor:g}", partial(steps_figure, own, keys)
            yield f"frontier_x{factor:g}", partial(frontier_figure, own)


@drawing.styled
def frontier_figure(rows: Sequence[Record]) -> Figure:
    """One point per extension, joined by a line in the order of their steps of tuning; the base alone at L is (1, 1).

    A second panel shows what lies close to the base, larger. The rows are one group of `select.perplexities`, of every
    seed and of one factor, in which `frontier` finds some.
    """
    found = frontier(rows)
    close = [max(inside.value, past.value) <= CLOSE for inside, past in found.values()]
    figure, panels = drawing.panels(*(2.4, 2.4) if sum(close) >= FEWEST and not all(close) else (2.7,))
    factor = max(item.factor for item in found)
    near, far = (end.replace("L'", f"{factor:g} L") for end in tables.ends(rows))
    for axes in panels:
        for name in dict.fromkeys(map(_name, found)):
            _draw(axes, {item: place for item, place in found.items() if _name(item) == name}, [*found])
        axes.set(xscale="log", yscale="log", ylabel=f"perplexity {far} / the base's {near}")
        axes.grid(True)
    for axes in panels[1:]:
        axes.set(xlim=(min(1.0, axes.get_xlim()[0]) * 0.99, CLOSE), ylim=(min(1.0, axes.get_ylim()[0]) * 0.99, CLOSE))
        axes.set_title("the same, close to the base")
    for axes in panels:
        for across in (True, False):
            drawing.ratio_axis(axes, name=f"1: the base {near}", across=across)
    panels[-1].set_xlabel(f"perplexity {near} / the base's {near}")
    documents = max(place.documents for places in found.values() for place in places)
    bars = "bars: 95 %, paired by document" if documents >= drawing.FEW else "small dots: single documents"
    first = next(iter(found))
    return drawing.finish(
        figure,
        f"{first.base}, s = {factor:g}, {select.counted(rows, 'document')} ({rows[0].data.get('source')} text): to the "
        f"left is less lost, further down more gained; {_fillings(found)}; {bars}",
    )


def frontier(rows: Sequence[Record]) -> dict[Extension, Place]:
    """Where each extension of one factor lies, in the order of tables; those that lack a number are left out."""
    places = {one.extension: (one.ratio(one.base_window), one.ratio(one.reach)) for one in tables.compared(rows, [])}
    return {item: (inside, past) for item, (inside, past) in places.items() if inside is not None and past is not None}


def _draw(axes: Axes, own: dict[Extension, Place], among: Sequence[Extension]) -> None:
    """One method: a line through its step counts, a marker for each, and a bar for each interval."""
    for item, (inside, past) in own.items():
        look = style(item, among) | {"color": _shade(item), "linestyle": "none"}
        look["markerfacecolor"] = _shade(item) if item.steps else "white"
        at = inside.value, past.value
        axes.plot(*at, label=_name(item), **look, zorder=3)
        if inside.documents == past.documents < drawing.FEW:
            axes.plot(inside.each, past.each, ".", color=_shade(item), alpha=0.6, markersize=3)
        for ends, still, across in ((inside, past, True), (past, inside, False)):
            if ends.low is not None and ends.high is not None and ends.documents >= drawing.FEW:
                bar, point = (ends.low, ends.high), (still.value, still.value)
                axes.plot(*((bar, point) if across else (point, bar)), color=_shade(item), linewidth=0.6, zorder=1)
    path = [(inside.value, past.value) for inside, past in own.values()]
    axes.plot(*zip(*path, strict=True), color=_shade(item), linewidth=0.8, zorder=2)


def _fillings(among: Iterable[Extension]) -> str:
    """What a caption says of how full markers are."""
    if not any(item.steps for item in among):
        return "nothing is tuned"
    counts = [len({item.steps for item in family if item.steps}) for family in extensions.by_steps(among)]
    return f"hollow: untuned,{' half full: tuned in part,' if max(counts) > 1 else ''} full: tuned longest"


def _name(item: Extension) -> str:
    """What a method's line is called."""
    return item.short_label if item.control else item.method_name


def _shade(item: Extension) -> str:
    return DARK if item.control else LOOKS.get(item.method, OTHER)[0]
