"""Extensions of bases that were stopped early: perplexity and k_max by the tokens that the base has seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from position_interpolation.display.tables import Column, Table, each, fill, method_name
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import Extension, base_name, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, whole
from position_interpolation.tasks.passkey import rules


@dataclass(frozen=True, order=True)
class Base:
    """A base that was stopped on its way."""

    tokens: int  # seen in training
    model: str

    @property
    def name(self) -> str:
        """What readers call it."""
        return base_name(self.model, self.tokens)


def bases(rows: Sequence[Record]) -> list[Base]:
    """The stopped bases by ascending tokens."""
    return sorted({Base(row.base_tokens, row.model) for row in rows if row.base_tokens is not None})


def treatments(rows: Sequence[Record]) -> list[Extension]:
    """What was done to the bases, in the paper's order: extensions of no base in particular."""
    ranked = sorted(ordered(rows), key=lambda item: item.rank[2:])  # whatever the base
    return list(dict.fromkeys(replace(item, model="", base_tokens=None) for item in ranked))


def extension(base: Base, treatment: Extension) -> Extension:
    """The treatment of one base."""
    return replace(treatment, model=base.model, base_tokens=base.tokens)


def compared_window(rows: Sequence[Record]) -> int:
    """The window at which the treatments are compared: the smallest to which any of them extends."""
    extended = [item.window for item in treatments(rows) if item.factor > 1]
    return min(extended) if extended else max(select.windows(rows))


def seeds(rows: Sequence[Record]) -> list[int]:
    """Seeds, ascending."""
    return sorted({record.seed for record in rows if record.seed is not None})


def by_seed(rows: Sequence[Record], item: Extension, metric: str, window: int) -> dict[int, Record]:
    """One number of an extension, by seed."""
    return {
        record.seed or 0: record
        for record in rows
        if (extension_of(record), record.metric, record.eval_window) == (item, metric, window)
        and (metric != "perplexity" or record.protocol == "token")
    }


def base_tokens_table(rows: Sequence[Record], metric: str = "perplexity") -> Table:
    """One row per base and treatment, one column per seed, for one metric, `perplexity` or `k_max`.

    The rows are one group of `select.stopped`, or the passkey records of such bases by one rule.
    """
    window = compared_window(rows)
    every = product(bases(rows), treatments(rows))
    found = {row: numbers for row in every if (numbers := by_seed(rows, extension(*row), metric, window))}
    show = perplexity_text if metric == "perplexity" else whole
    columns = (
        Column("Base", lambda base, _: base.name),
        Column("Base tokens", lambda base, _: base.tokens),
        Column("Method", lambda *row: method_name(extension(*row))),
        Column("Steps", lambda _, treatment: treatment.steps),
        *each(seeds(rows), "seed {}".format, lambda seed, *row: found[row].get(seed), show, measured=True),
    )
    what = "k_max in tokens, in prompts of" if metric == "k_max" else "Perplexity, protocol token, at a window of"
    unit = "trial" if metric == "k_max" else "document"
    judged = f" {rules.SENTENCES[str(rows[0].protocol)]}" if metric == "k_max" else ""
    caption = (
        f"{what} {window} by the training tokens of the base, {select.counted(rows, unit)}.{judged} "
        "A seed decides the order of the tuning text; untuned rows do not depend on it, passkey prompts do. "
        f"In brackets 95 % intervals of a bootstrap over {unit}s."
    )
    return fill(found, columns, caption)
