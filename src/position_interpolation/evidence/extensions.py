"""Extensions as records name them: what was done to which base, in the paper's order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from position_interpolation.evidence.records import Record
from position_interpolation.models.methods import METHODS

# What readers call each method of conf/method, in the order of tables and figures: the paper's three, then others.
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
    "p_rope": "p-RoPE",
    "drope": "DroPE",
    "temperature": "scaling alone",
    "bands": "bands",
}
ORDER = tuple(dict.fromkeys([*LABELS, *METHODS]))  # a new method comes last
PAPERS = ORDER[:3]  # what the paper compares; all others are rivals


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
    def base_window(self) -> int:
        """L in tokens."""
        return round(self.window / self.factor)

    @property
    def control(self) -> bool:
        """Whether this is the base trained further at L: what the text alone changes, not the window."""
        return self.method in ("none", "extrapolation") and self.factor == 1 and self.steps > 0

    @property
    def label(self) -> str:
        """The extension's name for readers, without its model."""
        if self.control:
            return f"base trained at L, {self.steps} steps"
        if self.method == "none":
            return f"none (L = {self.window})"
        tuned = f"tuned {self.steps} steps" if self.steps else "untuned"
        return f"{LABELS.get(self.method, self.method)} x{self.factor:g}, {tuned}"

    @property
    def rank(self) -> tuple[str, int, bool, int, str, float, int]:
        """Key of the paper's order: none and its controls, extrapolation, PI by factor and steps; then others."""
        order = ORDER.index(self.method) if self.method in ORDER else len(ORDER)
        extended = not (self.control or self.method == "none")
        return (self.model, self.base_tokens or 0, extended, order, self.method, self.factor, self.steps)


def base_name(model: str, tokens: int | None) -> str:
    """A base's name for readers: `tiny`, or `tiny-8M` where bases are compared by the tokens they have seen."""
    return model if tokens is None else f"{model}-{tokens / 1e6:.12g}M"


def method_label(extension: Extension) -> str:
    """Method and factor without the steps: what is called so at every step count."""
    if extension.control:
        return "base trained at L"
    if extension.method == "none":
        return f"none (L = {extension.window})"
    return f"{LABELS.get(extension.method, extension.method)} x{extension.factor:g}"


def extension_of(record: Record) -> Extension | None:
    """The extension a record was measured on; None for a record without a model (theory)."""
    if record.method is None or record.factor is None or record.window is None or record.steps is None:
        return None
    return Extension(record.model, record.method, record.factor, record.window, record.steps, record.base_tokens)


def ordered(records: Iterable[Record]) -> list[Extension]:
    """The extensions of some records, in the paper's order."""
    found = {extension_of(record) for record in records}
    return sorted((extension for extension in found if extension is not None), key=lambda item: item.rank)


def names(extensions: Sequence[Extension]) -> dict[Extension, str]:
    """Labels that tell these extensions apart: with their base only if there are several."""
    several = len({extension.base for extension in extensions}) > 1
    return {item: f"{item.base}: {item.label}" if several else item.label for item in extensions}
