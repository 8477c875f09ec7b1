"""Tables 3 and 4: one number by tuning steps, with the paper's beside it.

Rows are one group of `select.perplexities`, or of `rules.passkeys`, in which `extensions.families` finds some.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from position_interpolation.display.tables import EXTENSION, Table, each, fill
from position_interpolation.evidence import extensions, paper, select
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import OVER_DOCUMENTS, perplexity_text, whole
from position_interpolation.tasks.passkey import rules


def perplexity_steps_table(rows: Sequence[Record]) -> Table:
    """The layout of Table 3: perplexity at the own window, one row per family, one column per step count."""
    caption = (
        f"Perplexity on {select.text(rows)} at each extension's own window after so many tuning steps, protocol "
        f"token. {OVER_DOCUMENTS} Paper: Table 3, LLaMA 7B."
    )
    return _by_steps(rows, "perplexity", "token", perplexity_text, caption)


def passkey_steps_table(rows: Sequence[Record], rule: str) -> Table:
    """The layout of Table 4: k_max by steps, one row per family, for keys judged by `rule`."""
    caption = (
        "k_max in tokens after so many tuning steps, in prompts that fill the extension's own window. "
        f"{rules.SENTENCES[rule]} In brackets the "
        "95 % interval over the rates that the trials leave possible. Paper: Table 4, at the same multiples of L."
    )
    return _by_steps(rows, "k_max", rule, whole, caption)


def _by_steps(rows: Sequence[Record], metric: str, protocol: str, show: Callable[[float], str], caption: str) -> Table:
    """One row per family; the paper's columns are the step counts at which it prints a number for any of them."""

    def ours(count: int, last: Extension) -> Record | None:
        return select.find(rows, replace(last, steps=count), metric, last.window, protocol)

    families = extensions.families(rows)
    taken = sorted({extension.steps for family in families for extension in family})
    theirs = partial(printed_after, task=rows[0].task, metric=metric)
    columns = (
        *EXTENSION[:3],
        *each(taken, str, ours, show, measured=True),
        *each(paper.step_counts(), "paper {}".format, theirs, show, optional=True),
    )
    return fill((family[-1] for family in families), columns, caption)


def printed_after(steps: int, extension: Extension, task: str, metric: str) -> Record | None:
    """What Table 3 or 4 prints at the extension's own window after so many steps, not after its own."""
    return paper.beside(replace(extension, steps=steps), task, metric, extension.window, by_steps=True)
