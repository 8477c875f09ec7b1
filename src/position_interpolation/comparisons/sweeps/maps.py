"""Settings of methods drawn: a map over two settings, or lines over a single one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from position_interpolation.comparisons.rivals.measured import Compared
from position_interpolation.comparisons.sweeps.figures import heat
from position_interpolation.comparisons.sweeps.grids import Grid, number
from position_interpolation.comparisons.sweeps.tables import Setting, key_text
from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record


@dataclass(frozen=True)
class Number:
    """One of the numbers that settings are compared by."""

    stem: str
    name: str
    of: Callable[[Compared], Record | None]
    show: Callable[[float], str]
    lower: bool  # is better


def _short(perplexity: float) -> str:
    """A perplexity, as short as a cell needs it."""
    return f"{perplexity:.1f}" if perplexity < 100 else f"{perplexity:,.0f}"


NUMBERS = (
    Number("inside", "perplexity at L", lambda one: one.perplexity(one.base_window), _short, True),
    Number("extended", "perplexity at L'", lambda one: one.perplexity(one.reach), _short, True),
    Number("keys", "keys found, per cent", lambda one: one.passkey("success"), lambda rate: f"{100 * rate:.0f}", False),
)


def drawings(grid: Grid) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """One map per number over the first two keys, or one figure of lines over a single key; nothing without keys."""
    known = [one for one in NUMBERS if any(one.of(compared) is not None for compared, _ in grid.lines)]
    if len(grid.names) == 1 and len(grid.values(grid.names[0])) > 1:
        yield "settings", partial(lines_figure, grid, known)
    elif len(grid.names) > 1 and all(len(grid.values(name)) > 1 for name in grid.names[:2]):
        yield from ((f"map_{one.stem}", partial(map_figure, grid, one)) for one in known)


@drawing.styled
def map_figure(grid: Grid, what: Number) -> Figure:
    """One number in every cell, the best of a panel framed: the first key down, the second across.

    There is one panel per extension and, where more keys vary, per value of these. All panels share their colours.
    """
    down, across, *more = grid.names
    rows, columns = grid.values(down), grid.values(across)
    cells: dict[str, dict[tuple[int, int], float]] = {}
    for one, setting in grid.lines:
        row, column, found = number(setting, down), number(setting, across), what.of(one)
        if row is not None and column is not None and found is not None:
            panel = cells.setdefault(_title(one.extension, setting, more), {})
            panel[rows.index(row), columns.index(column)] = found.value
    figure, panels = drawing.panels(*[0.55 + 0.2 * len(rows)] * len(cells))
    ends = [value for known in cells.values() for value in known.values()] if what.lower else [0.0, 1.0]
    for axes, (title, known) in zip(panels, cells.items(), strict=True):
        heat(axes, known, (len(rows), len(columns)), what.show, what.lower, (min(ends), max(ends)))
        axes.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
        axes.set_yticks(range(len(rows)), [f"{value:g}" for value in rows])
        axes.set(title=title, xlabel=key_text(across), ylabel=key_text(down))
    drawing.finish(
        figure,
        f"{what.name[0].upper()}{what.name[1:]}, {_counted(grid, what)}; framed: the best of a panel"
        + _base(grid, what),
    )
    return figure


@drawing.styled
def lines_figure(grid: Grid, known: Sequence[Number]) -> Figure:
    """One panel per number, one line per extension over the values of the single key; the base is a dashed line."""
    (name,) = grid.names
    figure, panels = drawing.panels(*[1.5] * len(known))
    among = [item for item in ordered(grid.rows) if item.method != "none"]
    called = names(among)
    for axes, what in zip(panels, known, strict=True):
        curves: dict[Extension, dict[float, Record]] = {item: {} for item in among}
        for one, setting in grid.lines:
            place, found = number(setting, name), what.of(one)
            if found is not None and place is not None and one.extension in curves:
                curves[one.extension][place] = found
        for item, curve in curves.items():
            drawing.line(axes, dict(sorted(curve.items())), item, called)
        for base in _bases(grid, what):
            axes.axhline(base.value, color=GREY, linestyle="--", label="the base itself")
        axes.set_ylabel(what.name)
        if what.lower:
            drawing.log_axis(axes)
        else:
            axes.yaxis.set_major_formatter(drawing.percent)
            axes.set(ylabel="keys found", ylim=(-0.03, 1.03))
    panels[-1].set_xlabel(key_text(name))
    drawing.finish(figure, f"{_counted(grid, known[0])}; bars: 95 % over documents, and over trials")
    return figure


def _title(item: Extension, setting: Setting, more: Sequence[str]) -> str:
    values = ", ".join(f"{key_text(name)} {number(setting, name):g}" for name in more)
    return ", ".join(filter(None, (f"{item.method_name} x{item.factor:g}", values)))


def _counted(grid: Grid, what: Number) -> str:
    if what.lower:
        return select.counted(grid.rows, "document")
    return select.counted([row for row in grid.keys if row.at is None], "trial")


def _bases(grid: Grid, what: Number) -> list[Record]:
    """The base's number at each L'."""
    return [found for one, _ in grid.lines if one.extension.method == "none" and (found := what.of(one)) is not None]


def _base(grid: Grid, what: Number) -> str:
    found = [what.show(record.value) for record in _bases(grid, what)]
    return f"; the base itself: {', '.join(found)}" if found else ""
