"""Methods compared, the paper's among them: what each costs at L, what it brings at L', and whether it finds keys."""

from collections.abc import Sequence

from position_interpolation.comparisons.rivals.measured import compared
from position_interpolation.display.tables import EXTENSION, Cell, Column, Table, fill
from position_interpolation.evidence import select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, rate_text
from position_interpolation.tasks.passkey import rules

RULE = "key"
NAMED = (
    Column("Model", lambda one, *_: one.extension.base),
    Column("Window L'", lambda one, *_: one.reach),
    *(Column(column.name, lambda one, *_, of=column.of: of(one.extension)) for column in EXTENSION[2:]),
)
NUMBERS = (
    Column("at L", lambda one, *_: one.perplexity(one.base_window), perplexity_text, measured=True, optional=True),
    Column("at L'", lambda one, *_: one.perplexity(one.reach), perplexity_text, measured=True),
    Column(
        "at L / base at L",
        lambda one, *_: _ratio(one.ratio(one.base_window)),
        "{:.3f}".format,
        measured=True,
        optional=True,
    ),
    Column(
        "at L' / base at L", lambda one, *_: _ratio(one.ratio(one.reach)), "{:.3f}".format, measured=True, optional=True
    ),
    Column("Keys found", lambda one, *_: one.passkey("success"), rate_text, measured=True, optional=True),
    Column("k_max", lambda one, *_: one.passkey("k_max"), measured=True, optional=True),
)


def rivals_table(rows: Sequence[Record], keys: Sequence[Record]) -> Table:
    """One row per extension and window L': perplexity at L and L', both against the base at L, keys found, k_max.

    `rows` are one group of `select.perplexities`, `keys` passkey retrieval by rule `key`, both of every seed.
    """
    return fill(compared(rows, keys), (*NAMED, *NUMBERS), caption(rows, keys))


def caption(rows: Sequence[Record], keys: Sequence[Record]) -> str:
    """What the numbers are, and on how many documents and trials they rest."""
    paired = ", and over the base's at L, paired by document" if any(row.method == "none" for row in rows) else ""
    said = (
        f"Perplexity on {select.text(rows)}, stride {rows[0].stride}, protocol token{paired}. In brackets 95 % "
        "intervals: over documents, and over seeds where there are several; the ratios of one seed of tuning are "
        "widened by what seeds are known to differ."
    )
    shown = {extension_of(row) for row in rows}
    trials = [row for row in keys if (row.metric, row.at) == ("success", None) and extension_of(row) in shown]
    if trials:
        said += f" Keys: of {select.counted(trials, 'trial')} in prompts of L'. {rules.SENTENCES[RULE]}"
    return said


def _ratio(effect: Effect | None) -> Cell:
    return Cell() if effect is None else Cell(effect.value, effect.low, effect.high, effect.documents)
