"""Extensions as records name them: what was done to which base, in the paper's order, and families of their steps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from position_interpolation.evidence.records import Record
from position_interpolation.models.methods import METHODS

# What readers call each method of conf/method, in the order of tables and figures: the paper's three come first.
LABELS = {
    "none": "none",
    "extrapolation": "extrapolation",
    "pi": "PI",
    "pi_scaled": "PI + scaling",
    "ntk": "NTK",
    "ntk_scaled": "NTK + scaling",
    "by_parts": "by parts",
    "yarn": "YaRN",
    "llama3": "Llama 3",
    "llama3_scaled": "Llama 3 + scaling",
    "abf": "ABF",
    "longrope": "LongRoPE",
    "longrope_searched": "LongRoPE, searched",
    "p_rope": "p-RoPE",
    "drope": "DroPE",
    "temperature": "scaling alone",
    "bands": "bands",
}
ORDER = tuple(dict.fromkeys([*LABELS, *METHODS]))  # a new method comes last
FEWEST = 3  # step counts that make a row worth its own table
PAPERS = ORDER[:3]  # the methods that the paper compares; all others are rivals


@dataclass(frozen=True)
class Extension:
    """What was done to which base: one row of a table, one line of a figure."""

    model: str
    method: str
    factor: float  # s = L' / L
    window: int  # L', tokens
    steps: int
    base_tokens: int | None = None  # as in `records.Record`

    @property
    def base(self) -> str:
        """The base's name for readers."""
        return base_name(self.model, self.base_tokens)

    @property
    def untouched(self) -> "Extension":
        """The base itself, neither extended nor tuned."""
        return replace(self, method="none", factor=1.0, window=self.base_window, steps=0)

    @property
    def untuned(self) -> "Extension":
        """The same before tuning, and so the same for all that differ in their steps alone."""
        return replace(self, steps=0)

    @property
    def base_window(self) -> int:
        """L in tokens."""
        return round(self.window / self.factor)

    @property
    def control(self) -> bool:
        """Whether this is the base trained further at L, which shows what the text alone changes."""
        return self.method in ("none", "extrapolation") and self.factor == 1 and self.steps > 0

    @property
    def method_name(self) -> str:
        """What readers call the method."""
        return LABELS.get(self.method, self.method)

    @property
    def short_label(self) -> str:
        """Method and factor for readers: the same whatever the steps."""
        if self.control:
            return "base trained at L"
        if self.method == "none":
            return f"none (L = {self.window})"
        return f"{self.method_name} x{self.factor:g}"

    @property
    def label(self) -> str:
        """The extension's name for readers, without its model."""
        if self.method == "none" and not self.control:
            return self.short_label
        tuned = "untuned" if not self.steps else f"{'' if self.control else 'tuned '}{self.steps} steps"
        return f"{self.short_label}, {tuned}"

    @property
    def rank(self) -> tuple[str, int, bool, int, str, float, int]:
        """Sorts into the paper's order: none and its controls, extrapolation, PI by factor and steps, then others."""
        order = ORDER.index(self.method) if self.method in ORDER else len(ORDER)
        extended = not (self.control or self.method == "none")
        return (self.model, self.base_tokens or 0, extended, order, self.method, self.factor, self.steps)


def base_name(model: str, tokens: int | None) -> str:
    """A base's name for readers: `tiny`, or `tiny-8M`, rounded, where bases are compared by their tokens."""
    return model if tokens is None else f"{model}-{tokens / 1e6:.3g}M"


def extension_of(record: Record) -> Extension | None:
    """The extension that a record measures; None for a record without a model (theory)."""
    if record.method is None or record.factor is None or record.window is None or record.steps is None:
        return None
    return Extension(record.model, record.method, record.factor, record.window, record.steps, record.base_tokens)


def ordered(records: Iterable[Record]) -> list[Extension]:
    """The extensions of some records, in the paper's order."""
    return sorted(filter(None, set(map(extension_of, records))), key=lambda item: item.rank)


def names(extensions: Sequence[Extension]) -> dict[Extension, str]:
    """Labels that tell these extensions apart; they name the base only if there are several."""
    several = len({extension.base for extension in extensions}) > 1
    return {item: f"{item.base}: {item.label}" if several else item.label for item in extensions}


def families(rows: Sequence[Record]) -> list[list[Extension]]:
    """Families in the paper's order: at least three extensions that differ in their steps alone, steps ascending."""
    return [family for family in by_steps(ordered(rows)) if len(family) >= FEWEST]


def by_steps(extensions: Iterable[Extension]) -> list[list[Extension]]:
    """Extensions in the paper's order, those together that differ in their steps alone."""
    return [list(alike) for _, alike in groupby(extensions, lambda item: item.untuned)]


def ends(rows: Sequence[Record]) -> list[Record]:
    """The records, of each family only those of its untuned and longest tuned extension: more would crowd a figure."""
    between = {extension for family in families(rows) for extension in family[:-1] if extension.steps}
    return [record for record in rows if extension_of(record) not in between]
