"""Tables 3 and 4: one number by tuning steps, the paper's beside."""

from collections.abc import Callable, Sequence
from functools import partial

from position_interpolation.display.tables import Cell, Column, Table, cell_of, method_name, printed_cell
from position_interpolation.evidence import paper, select, step_counts
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, plural, whole
from position_interpolation.tasks.passkey import rules

ROW = (Column("Model"), Column("Window L'"), Column("Method"))


def perplexity_steps_table(rows: Sequence[Record]) -> Table:
    """The layout of Table 3: perplexity at the extension's own window, one row a family, one column a step count.

    Args:
        rows: one group of `select.perplexities` in which `step_counts.families` finds some.
    """
    task = rows[0].task

    def measured(extension: Extension) -> Record | None:
        return select.find(rows, extension, "perplexity", extension.window, "token")

    shown = [record for record in rows if record.metric == "perplexity"]
    documents = max((record.n_documents or 0 for record in shown), default=0)
    caption = (
        f"Perplexity on {task} ({rows[0].data.get('source')} text, {plural(documents, 'document')}) at each "
        "extension's own window after so many tuning steps, protocol token. In brackets the 95 % interval of a "
        "bootstrap over documents. Paper: Table 3, LLaMA 7B."
    )
    return _by_steps(rows, measured, partial(printed_after, task=task, metric="perplexity"), perplexity_text, caption)


def passkey_steps_table(rows: Sequence[Record], rule: str) -> Table:
    """The layout of Table 4: k_max by steps, one row a family.

    Args:
        rows: one group of `rules.passkeys` in which `step_counts.families` finds some.
        rule: by which answers were judged.
    """

    def measured(extension: Extension) -> Record | None:
        return select.find(rows, extension, "k_max", extension.window)

    caption = (
        "k_max in tokens after so many tuning steps, in prompts that fill the extension's own window. "
        f"{rules.SENTENCES[rule]} In brackets the "
        "95 % interval over the rates that the trials leave possible. Paper: Table 4, at the same multiples of L."
    )
    return _by_steps(rows, measured, partial(printed_after, task="passkey", metric="k_max"), whole, caption)


def printed_after(extension: Extension, task: str, metric: str) -> Record | None:
    """What Table 3 or 4 prints at the extension's own window after its steps."""
    return paper.beside(extension, task, metric, extension.window, by_steps=True)


def _by_steps(
    rows: Sequence[Record],
    measured: Callable[[Extension], Record | None],
    theirs: Callable[[Extension], Record | None],
    show: Callable[[float], str],
    caption: str,
) -> Table:
    """One row a family; the paper's columns are the step counts at which it prints something for any of them."""
    families = step_counts.families(rows)
    taken = sorted({extension.steps for family in families for extension in family})
    columns = [*ROW, *(Column(str(count), show, measured=True) for count in taken)]
    counts = [count for count in paper.step_counts() if any(theirs(after(family[-1], count)) for family in families)]
    columns += [Column(f"paper {count}", show) for count in counts]
    cells = []
    for family in families:
        last = family[-1]
        cells.append(
            (
                Cell(last.model),
                Cell(last.window),
                Cell(method_name(last)),
                *(cell_of(measured(after(last, count))) for count in taken),
                *(printed_cell(theirs(after(last, count))) for count in counts),
            )
        )
    return Table(tuple(columns), tuple(cells), caption)


def after(extension: Extension, count: int) -> Extension:
    """The extension after so many steps."""
    return Extension(extension.model, extension.method, extension.factor, extension.window, count)
