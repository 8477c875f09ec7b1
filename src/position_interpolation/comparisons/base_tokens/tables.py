"""Extensions of bases that were stopped early: perplexity and k_max by the tokens that the base has seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from position_interpolation.display.tables import Cell, Column, Table, cell_of, method_name
from position_interpolation.evidence import select, variants
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, plural, whole
from position_interpolation.tasks.passkey import rules


@dataclass(frozen=True)
class Treatment:
    """What is done to every base alike: one line of the figure."""

    method: str
    factor: float
    window: int  # tokens, L'
    steps: int


def bases(rows: Sequence[Record]) -> list[str]:
    """The stopped bases by ascending tokens."""
    found = {record.model for record in rows if variants.tokens_of(record.model) is not None}
    return sorted(found, key=lambda model: variants.tokens_of(model) or 0)


def treatments(rows: Sequence[Record]) -> list[Treatment]:
    """What was done to the bases, in the paper's order."""
    return list(dict.fromkeys(Treatment(e.method, e.factor, e.window, e.steps) for e in _ranked(rows)))


def extension(base: str, treatment: Treatment) -> Extension:
    """The treatment of one base."""
    return Extension(base, treatment.method, treatment.factor, treatment.window, treatment.steps)


def compared_window(rows: Sequence[Record]) -> int:
    """The window at which the treatments are compared: the smallest that any of them extends to."""
    extended = [item.window for item in treatments(rows) if item.factor > 1]
    return min(extended) if extended else max(select.windows(rows))


def seeds(rows: Sequence[Record]) -> list[int]:
    """Seeds, ascending."""
    return sorted({record.seed for record in rows})


def by_seed(rows: Sequence[Record], item: Extension, metric: str, window: int) -> dict[int, Record]:
    """One number of an extension, by seed."""
    return {
        record.seed: record
        for record in rows
        if (extension_of(record), record.metric, record.eval_window) == (item, metric, window)
        and (metric != "perplexity" or record.protocol == "token")
    }


def base_tokens_table(rows: Sequence[Record], metric: str = "perplexity") -> Table:
    """One row a base and treatment, one column a seed.

    Args:
        rows: one group of `select.stopped`, or the passkey records of such bases by one rule.
        metric: `perplexity` or `k_max`.
    """
    window = compared_window(rows)
    show = perplexity_text if metric == "perplexity" else whole
    lines = []
    for base in bases(rows):
        for treatment in treatments(rows):
            item = extension(base, treatment)
            found = by_seed(rows, item, metric, window)
            if found:
                cells = [cell_of(found.get(seed)) for seed in seeds(rows)]
                tokens = Cell(variants.tokens_of(base))
                lines.append((Cell(base), tokens, Cell(method_name(item)), Cell(treatment.steps), *cells))
    columns = [Column("Base"), Column("Base tokens"), Column("Method"), Column("Steps")]
    columns += [Column(f"seed {seed}", show, measured=True) for seed in seeds(rows)]
    what = "k_max in tokens, in prompts of" if metric == "k_max" else "Perplexity, protocol token, at a window of"
    documents = max(record.n_documents or 0 for record in rows)
    unit = "trial" if metric == "k_max" else "document"
    judged = f" {rules.SENTENCES[str(rows[0].protocol)]}" if metric == "k_max" else ""
    caption = (
        f"{what} {window} by the training tokens of the base, {plural(documents, unit)}.{judged} "
        "A seed decides the order of the tuning text; untuned rows do not depend on it, passkey prompts do. "
        f"In brackets 95 % intervals of a bootstrap over {unit}s."
    )
    return Table(tuple(columns), tuple(lines), caption)


def _ranked(rows: Sequence[Record]) -> list[Extension]:
    """The extensions of all bases, by rank whatever the base."""
    return sorted(ordered(rows), key=lambda item: item.rank[1:])
