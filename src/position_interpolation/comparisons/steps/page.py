"""What a page shows of tuning steps."""

from collections.abc import Iterator, Sequence
from functools import partial

from position_interpolation.comparisons.steps import figures, tables
from position_interpolation.display.section import Section
from position_interpolation.evidence import extensions, select
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.passkey import rules
from position_interpolation.tasks.tuning_curve import page


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Tables 3 and 4, wherever an extension was measured after three or more step counts."""
    for group, rows in select.perplexities(records).items():
        if extensions.families(rows):
            draw = partial(figures.perplexity_steps_figure, rows)
            title = f"Perplexity by tuning steps: {group.task}, {group.source} text"
            yield Section(title, rows, "steps", tables.perplexity_steps_table(rows), (("perplexity_steps", draw),))
    for group, rows in rules.passkeys(records).items():
        if group.task == "passkey" and extensions.families(rows):
            draw = partial(figures.passkey_steps_figure, rows, str(group.rule))
            table = tables.passkey_steps_table(rows, str(group.rule))
            title = f"Passkey retrieval by tuning steps, rule {group.rule}"
            yield Section(title, rows, "passkey_steps", table, (("k_max_steps", draw),))


def tuning_curves(records: Sequence[Record]) -> Iterator[Section]:
    """Training losses against steps."""
    for rows in page.curves(records).values():
        draw = partial(figures.curves_figure, rows)
        yield Section("Tuning curves", rows, "tuning", page.curves_table(rows), (("tuning", draw),))
