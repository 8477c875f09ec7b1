"""What a page shows of settings compared."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.comparisons.rivals.tables import RULE
from position_interpolation.comparisons.sweeps import figures, grids, maps, tables
from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """A sweep over learning rates, settings of methods, or choices compared."""
    keys = [row for row in records if select.varied(row) and (row.task, row.protocol) == ("passkey", RULE)]
    for group, rows in select.compared(records).items():
        where = f"{group.task}, {group.source} text"
        if tables.is_sweep(rows):
            draw = partial(figures.sweep_figure, rows)
            title = f"Learning rate by steps: {where}"
            yield Section(title, rows, "learning_rate", tables.sweep_table(rows), (("learning_rate", draw),))
        elif grids.is_grid(rows):
            grid = grids.Grid(rows, [row for row in keys if row.seed == group.seed])
            yield Section(f"Settings: {where}", rows, "settings", grids.grid_table(grid), tuple(maps.drawings(grid)))
        else:
            yield Section(f"Choices: {where}", rows, "choices", tables.choices_table(rows), ())
