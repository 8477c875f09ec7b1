"""Extensions of bases that were stopped early: perplexity and k_max by the tokens that the base has seen."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from position_interpolation.display.tables import Column, Table, each, fill, method_name
from position_interpolation.evidence import comparison, select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.seeds import averaged, losses_by_seed
from position_interpolation.evidence.words import perplexity_text, plural, whole
from position_interpolation.tasks.passkey import rules


def bases(rows: Sequence[Record]) -> list[Extension]:
    """The bases that were stopped on their way, by ascending tokens."""
    return sorted({item.untouched for item in ordered(rows)}, key=lambda base: (base.base_tokens or 0, base.model))


def treatments(rows: Sequence[Record]) -> list[Extension]:
    """What was done to the bases, in the paper's order: extensions of no base in particular."""
    ranked = sorted(ordered(rows), key=lambda item: item.rank[2:])  # whatever the base
    return list(dict.fromkeys(replace(item, model="", base_tokens=None) for item in ranked))


def extension(base: Extension, treatment: Extension) -> Extension:
    """The treatment of one base."""
    return replace(treatment, model=base.model, base_tokens=base.base_tokens)


def common_window(rows: Sequence[Record]) -> int:
    """The window at which the treatments are compared: the smallest to which any of them extends."""
    extended = (item.window for item in treatments(rows) if item.factor > 1)
    return min(extended, default=max(select.windows(rows)))


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


def pairs(rows: Sequence[Record]) -> Iterator[tuple[Extension, Extension]]:
    """Each treatment by PI with the extrapolation of the same window and steps; untuned PI with the base itself."""
    known = treatments(rows)
    bases = [item for item in known if item.method == "none"]
    for ours in (item for item in known if item.method == "pi"):
        others = [replace(ours, method="extrapolation")] if ours.steps else bases
        yield from ((ours, other) for other in others if other in known)


def ratio(rows: Sequence[Record], base: Extension, ours: Extension, other: Extension) -> Effect | None:
    """Ratio of the perplexities of two treatments at the window of the first; None if no seed has both.

    Documents are paired, their losses averaged over the seeds. The interval is widened to take in every single seed.
    """
    left, right = (losses_by_seed(rows, extension(base, item), ours.window) for item in (ours, other))
    both = [(left[seed], right[seed]) for seed in seeds(rows) if seed in left and seed in right]
    found = comparison.paired(*map(averaged, zip(*both, strict=True))) if both else None
    if found is None:
        return None
    alone = [one.value for sides in both if (one := comparison.paired(*sides)) is not None]
    wins = f"ahead under {sum(value < 1 for value in alone)} of {plural(len(alone), 'seed')}"
    found = replace(found, sources=(rows[0].experiment,), detail=f"{wins}, {plural(found.documents, 'document')}")
    if found.low is None or found.high is None:
        return found
    return replace(found, low=min(found.low, *alone), high=max(found.high, *alone))


def base_tokens_table(rows: Sequence[Record], metric: str = "perplexity") -> Table:
    """One row per base and treatment, one column per seed, for one metric, `perplexity` or `k_max`.

    The rows are one group of `select.stopped`, or the passkey records of such bases by one rule.
    """
    window = common_window(rows)
    every = product(bases(rows), treatments(rows))
    found = {row: numbers for row in every if (numbers := by_seed(rows, extension(*row), metric, window))}
    show, unit, judged = perplexity_text, "document", ""
    what = "Perplexity, protocol token, at a window of"
    if metric == "k_max":
        show, unit, judged = whole, "trial", f" {rules.SENTENCES[str(rows[0].protocol)]}"
        what = "k_max in tokens, in prompts of"
    columns = (
        Column("Base", lambda base, _: base.base),
        Column("Base tokens", lambda base, _: base.base_tokens),
        Column("Method", lambda *row: method_name(extension(*row))),
        Column("Steps", lambda _, treatment: treatment.steps),
        *each(seeds(rows), "seed {}".format, lambda seed, *row: found[row].get(seed), show, measured=True),
    )
    caption = (
        f"{what} {window} by the training tokens of the base, {select.counted(rows, unit)}.{judged} "
        "A seed decides the order of the tuning text; untuned rows do not depend on it, passkey prompts do. "
        f"In brackets 95 % intervals of a bootstrap over {unit}s."
    )
    return fill(found, columns, caption)
