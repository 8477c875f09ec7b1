"""Methods compared, the paper's among them: what each costs at L, what it brings at L', and whether it finds keys."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from position_interpolation.display.tables import EXTENSION, Column, Table, fill
from position_interpolation.evidence import seeds, select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension, extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, rate_text
from position_interpolation.tasks.passkey import rules

RULE = "key"


@dataclass(frozen=True)
class Compared:
    """An extension, or a base, compared at a window L'."""

    extension: Extension
    reach: int  # L' in tokens; for a base, the L' of the extensions beside it
    rows: Sequence[Record]  # perplexities of every seed, those of the base among them
    shown: Sequence[Record]  # the same with seeds pooled
    keys: Sequence[Record]  # passkey retrieval by one rule, seeds pooled

    @property
    def base_window(self) -> int:
        """L in tokens."""
        return self.extension.base_window

    def perplexity(self, window: int) -> Record | None:
        """At L or L'."""
        return select.find(self.shown, self.extension, "perplexity", window, "token")

    def ratio(self, window: int) -> Effect | None:
        """Perplexity at L or L' over that of the base at L, paired by document and over all seeds of tuning."""
        return seeds.over_base(self.rows, self.extension, window)

    def over_pi(self) -> Effect | None:
        """Perplexity at L' over that of PI, extended as far and tuned as long; None for PI itself and for a base."""
        rival = replace(self.extension, method="pi")
        if self.extension in (rival, self.extension.untouched) or self.extension.control:
            return None
        return seeds.ratio(self.rows, (self.extension, self.reach), (rival, self.reach))

    def passkey(self, metric: str) -> Record | None:
        """Success or k_max in prompts of L'."""
        return select.find(self.keys, self.extension, metric, self.reach)


NAMED = (
    Column("Model", lambda one, *_: one.extension.base),
    Column("Window L'", lambda one, *_: one.reach),
    *(Column(column.name, lambda one, *_, of=column.of: of(one.extension)) for column in EXTENSION[2:]),
)
_measured = partial(Column, measured=True, optional=True)


def numbers(near: str, far: str) -> tuple[Column, ...]:
    """The columns of numbers; `near` and `far` name the two ends of an extension."""
    return (
        _measured(near, lambda one, *_: one.perplexity(one.base_window), perplexity_text),
        Column(far, lambda one, *_: one.perplexity(one.reach), perplexity_text, measured=True),
        _measured(f"{near} / base {near}", lambda one, *_: one.ratio(one.base_window), "{:.3f}".format),
        _measured(f"{far} / base {near}", lambda one, *_: one.ratio(one.reach), "{:.3f}".format),
        _measured(f"{far} / PI {far}", lambda one, *_: one.over_pi(), "{:.3f}".format),
        _measured("Keys found", lambda one, *_: one.passkey("success"), rate_text),
        _measured("k_max", lambda one, *_: one.passkey("k_max")),
    )


WINDOWS, POSITIONS = ("at L", "at L'"), ("inside L", "past L")


def ends(rows: Sequence[Record]) -> tuple[str, str]:
    """What the two ends of an extension are called: windows of L and L', or the positions of one forward."""
    return POSITIONS if rows[0].task == "positions" else WINDOWS


def compared(rows: Sequence[Record], keys: Sequence[Record]) -> list[Compared]:
    """Every extension at its own L', ascending; the base and what was tuned at L stand at each of these L'.

    `rows` are one group of `select.perplexities`, `keys` passkey retrieval by one rule, both of every seed.
    """
    shown, found, known = seeds.pooled(rows), seeds.pooled(keys), ordered(rows)
    return [
        Compared(item, reach, rows, shown, found)
        for reach in sorted({item.window for item in known if item.factor > 1})
        for item in known
        if item.factor == 1 or item.window == reach
    ]


def rivals_table(rows: Sequence[Record], keys: Sequence[Record]) -> Table:
    """One row per extension and window L', from the records that `compared` takes, the keys by rule `key`."""
    return fill(compared(rows, keys), (*NAMED, *numbers(*ends(rows))), caption(rows, keys))


def caption(rows: Sequence[Record], keys: Sequence[Record]) -> str:
    """What the numbers are, and on how many documents and trials they rest."""
    near, _ = ends(rows)
    on, other = f"on {select.text(rows)}, stride {rows[0].stride}", ""
    if near == POSITIONS[0]:
        on = f"by position in one forward of {select.windows(rows)[-1]} tokens of each of {select.counted(rows)}"
        other = " What lies past L is other text than what lies inside it, the same under every method."
    paired = f", and over the base's {near}, paired by document" if any(row.method == "none" for row in rows) else ""
    beside = " Ratios to PI: of a method and PI after as many steps." if any(row.method == "pi" for row in rows) else ""
    said = (
        f"Perplexity {on}, protocol token{paired}.{beside}{other} In brackets 95 % "
        "intervals: over documents, and over seeds where there are several; where there is one, ratios of what is "
        "tuned are widened by as much as seeds are known to differ."
    )
    shown = {extension_of(row) for row in rows}
    trials = [row for row in keys if (row.metric, row.at) == ("success", None) and extension_of(row) in shown]
    if trials:
        said += f" Keys: of {select.trials(seeds.pooled(trials))} in prompts of L'. {rules.SENTENCES[RULE]}"
    return said
