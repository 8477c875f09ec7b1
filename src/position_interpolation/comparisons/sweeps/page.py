"""What a page shows of settings compared: maps over two of them, lines over a single one."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from position_interpolation.comparisons.rivals.by_position import as_windows
from position_interpolation.comparisons.rivals.tables import RULE, Compared, ends
from position_interpolation.comparisons.sweeps import tables
from position_interpolation.comparisons.sweeps.tables import Grid, key_text, number
from position_interpolation.display import drawing
from position_interpolation.display.colours import GREY, VERMILION
from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text

LEAST = 1.05  # ratio of two perplexities that have the two ends of the colours
Cells = dict[tuple[float, float], float]  # a number by the values of two settings, the first down, the second across


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """A sweep over learning rates, settings of methods, or choices compared."""
    groups = select.under_settings(records)
    for group, rows in groups.items():
        where = f"{group.task}, {group.source} text"
        if tables.is_sweep(rows):
            draw = partial(sweep_figure, rows)
            title = f"Learning rate by steps: {where}"
            yield Section(title, rows, "learning_rate", tables.sweep_table(rows), (("learning_rate", draw),))
        elif tables.is_grid(rows):
            yield _settings(f"Settings: {where}", rows, records)
        else:
            yield Section(f"Choices: {where}", rows, "choices", tables.choices_table(rows), ())
    for group, rows in {} if groups else select.positions(records, settings=True).items():
        found = [one for setting in tables.settings_of(rows) for one in as_windows(tables.under(rows, setting))]
        if tables.is_grid(rows) and found:
            yield _settings(f"Settings by position: {group.source} text", found, records)


def _settings(title: str, rows: Sequence[Record], records: Sequence[Record]) -> Section:
    """Settings of methods compared: their table, and their maps or lines."""
    seed = rows[0].seed
    keys = [
        row for row in records if select.varied(row) and (row.task, row.protocol, row.seed) == ("passkey", RULE, seed)
    ]
    grid = Grid(rows, keys)
    return Section(title, rows, "settings", tables.grid_table(grid), tuple(drawings(grid)))


@drawing.styled
def sweep_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at L' by learning rate and steps, one map per extension of a sweep (`tables.is_sweep`)."""
    families, rates = tables.swept(rows), tables.by_rate(rows)
    figure, panels = drawing.panels(*[0.5 + 0.24 * len(rates)] * len(families))
    for axes, family in zip(panels, families, strict=True):
        known: Cells = {
            (rate, item.steps): record.value
            for rate, setting in rates.items()
            for item in family
            if (record := tables.perplexity(rows, item.window, item, setting)) is not None
        }
        heat(axes, known, [*rates], [item.steps for item in family], perplexity_text)
        title = f"{family[-1].base}, {family[-1].short_label}"
        axes.set(title=title, xlabel="steps", ylabel="peak learning rate")
    documents = select.counted(rows, "document")
    return drawing.finish(figure, f"Perplexity at the own window L', {documents}; framed: the lowest of a panel")


def heat(
    axes: Axes,
    known: Cells,
    down: Sequence[float],
    across: Sequence[float],
    show: Callable[[float], str],
    lower: bool = True,
    ends: tuple[float, float] | None = None,
) -> None:
    """Coloured cells with their numbers, by the values of two settings; dark is worse, and the best is framed.

    If `lower` is better, as for perplexities, cells are coloured by the logarithm of their number. The colours reach
    over `ends`, by default the panel's own range, so widened that a small difference stays a small one.
    """
    low, high = ends or (min(known.values()), max(known.values()))
    high = max(high, LEAST * low) if lower else high
    scale = math.log if lower else float
    cells = [[scale(known.get((row, column), math.nan)) for column in across] for row in down]
    axes.imshow(cells, cmap="cividis_r" if lower else "cividis", aspect="auto", vmin=scale(low), vmax=scale(high))
    best = (min if lower else max)(known.values())
    alike = len(known) > 1 and len(set(known.values())) == 1
    for place, value in known.items():
        row, column = down.index(place[0]), across.index(place[1])
        dark = (2 * scale(value) > scale(low) + scale(high)) == lower
        axes.text(column, row, show(value), ha="center", va="center", color="white" if dark else "black")
        if value == best and not alike:
            axes.add_patch(Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, fill=False, ec=VERMILION, lw=2.5))
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across])
    axes.set_yticks(range(len(down)), [f"{value:g}" for value in down])
    drawing.cells(axes)


@dataclass(frozen=True)
class Number:
    """One of the numbers that settings are compared by."""

    stem: str
    name: str
    of: Callable[[Compared], Record | None]
    show: Callable[[float], str]
    lower: bool = True  # is better
    over_base: Callable[[Compared], Effect | None] = lambda _: None  # the same, over the base's at L


def _short(perplexity: float) -> str:
    """A perplexity, as short as a cell needs it."""
    return f"{perplexity:.1f}" if perplexity < 100 else f"{perplexity:,.0f}"


def _numbers(near: str, far: str) -> tuple[Number, ...]:
    """Perplexity at both ends of an extension, and the keys found."""
    return (
        Number(
            "inside", f"perplexity {near}", lambda one: one.perplexity(one.base_window), _short,
            over_base=lambda one: one.ratio(one.base_window),
        ),
        Number(
            "extended", f"perplexity {far}", lambda one: one.perplexity(one.reach), _short,
            over_base=lambda one: one.ratio(one.reach),
        ),
        Number(
            "keys", "keys found, per cent", lambda one: one.passkey("success"), lambda rate: f"{100 * rate:.0f}",
            lower=False,
        ),
    )  # fmt: skip


def drawings(grid: Grid) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """One map per number over the first two keys, or one figure of lines over a single key; nothing without keys."""
    asked, among = [one for one, _ in grid.lines], _numbers(*ends(grid.rows))
    known = [number for number in among if any(number.of(one) is not None for one in asked)]
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
    cells: dict[str, Cells] = {}
    bases = []  # the base's number at each L'
    for one, setting in grid.lines:
        row, column, found = number(setting, down), number(setting, across), what.of(one)
        if found is not None and one.extension.method == "none":
            bases.append(what.show(found.value))
        if row is not None and column is not None and found is not None:
            title = f"{one.extension.method_name} x{one.extension.factor:g}"
            others = [(key_text(key), value) for key, value in setting if key in more and value is not None]
            told = [f"{key} {value}" if isinstance(value, str) else f"{key} {value:g}" for key, value in others]
            panel = ", ".join([title, *told])
            cells.setdefault(panel, {})[row, column] = found.value
    cells = {title: known for title, known in cells.items() if len(known) > 1} or cells  # a single one is no map
    rows, columns = grid.values(down), grid.values(across)
    figure, panels = drawing.panels(*[0.55 + 0.2 * len(rows)] * len(cells))
    ends = [value for known in cells.values() for value in known.values()] if what.lower else [0.0, 1.0]
    for axes, (title, known) in zip(panels, cells.items(), strict=True):
        heat(axes, known, rows, columns, what.show, what.lower, (min(ends), max(ends)))
        axes.set(title=title, xlabel=key_text(across), ylabel=key_text(down))
    return drawing.finish(
        figure,
        f"{what.name[0].upper()}{what.name[1:]}, {_counted(grid, what)}; framed: the best of a panel"
        + (f"; the base itself: {', '.join(bases)}" if bases else ""),
    )


@drawing.styled
def lines_figure(grid: Grid, known: Sequence[Number]) -> Figure:
    """One panel per number, one line per extension over the values of the single key; the base is a dashed line.

    Perplexities are drawn over the base's at L, paired by document, where that was measured.
    """
    (name,), (near, _) = grid.names, ends(grid.rows)
    figure, panels = drawing.panels(*[1.5] * len(known))
    called = names([item for item in ordered(grid.rows) if item.method != "none"])
    for axes, what in zip(panels, known, strict=True):
        relative = any(what.over_base(one) is not None for one, _ in grid.lines)
        curves: dict[Extension, dict[float, Record | Effect]] = {item: {} for item in called}
        for one, setting in grid.lines:
            place, found = number(setting, name), what.over_base(one) if relative else what.of(one)
            if found is not None and one.extension.method == "none":
                axes.axhline(found.value, color=GREY, linestyle="--", label="the base itself")
            elif found is not None and place is not None:
                curves[one.extension][place] = found
        for item, curve in curves.items():
            drawing.line(axes, dict(sorted(curve.items())), item, called)
        axes.set_ylabel(f"{what.name} / base {near}" if relative else what.name)
        if relative:
            points = [point for curve in curves.values() for point in curve.values()]
            drawing.ratio_axis(axes, points, f"1: the base {near}")
        elif what.lower:
            drawing.log_axis(axes)
        else:
            axes.yaxis.set_major_formatter(drawing.percent)
            axes.set(ylabel="keys found", ylim=(-0.03, 1.03))
    panels[-1].set_xlabel(key_text(name))
    return drawing.finish(figure, f"{_counted(grid, known[0])}; bars: 95 % over documents, and over trials")


def _counted(grid: Grid, what: Number) -> str:
    if what.lower:
        return select.counted(grid.rows, "document")
    return select.counted([row for row in grid.keys if row.at is None], "trial")
