"""The paper's own tables and formulas as evidence: exact numbers without intervals (assets/paper.yaml)."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from position_interpolation.evidence import paper
from position_interpolation.evidence.effects import Cell, Effect, exact
from position_interpolation.evidence.words import UNREADABLE
from position_interpolation.tasks.theory import bounds

RIVAL, OURS = "CoLT5 Base", "LLaMA-7B PI"
ROUGES = ("rouge1", "rouge2", "rougeL")


class Printed:
    """Answers from Tables 1 to 6, and from the formulas of section 2 with the paper's own constants."""

    title = "paper's own numbers"
    printed = True

    def models(self, sizes: Sequence[str] = ()) -> Sequence[str]:
        """The sizes themselves; all that Table 1 has if none is named."""
        return sizes or tuple(dict.fromkeys(row["size"] for row in paper.printed()["table1_pg19"]))

    def window(self, model: str, multiple: int) -> int:
        """A multiple of 2048."""
        original: int = paper.printed()["paper"]["original_window"]
        return original * multiple

    def factor(self, model: str, wanted: int, tuned: bool = True) -> int:
        """The paper has every factor that it speaks of."""
        return wanted

    def perplexity(self, cell: Cell) -> Effect | None:
        """A cell of Tables 1 to 3; `> 10^3` counts as 10^3, the least that it can be."""
        found, source = self._stepwise(cell) if cell.steps is not None else self._tuned(cell)
        if found is None:
            return None
        value = UNREADABLE if isinstance(found, str) else float(found)
        return exact(value, source, paper.text(math.inf if isinstance(found, str) else value))

    def ratio(self, over: Sequence[Cell], under: Sequence[Cell]) -> Effect | None:
        """As printed, so exact but for rounding."""
        found = [[self.perplexity(cell) for cell in cells] for cells in (over, under)]
        above, below = ([effect for effect in side if effect is not None] for side in found)
        if (len(above), len(below)) != (len(over), len(under)):
            return None
        value = math.prod(effect.value for effect in above) / math.prod(effect.value for effect in below)
        sources = dict.fromkeys(effect.source for effect in (*above, *below))
        sides = (" x ".join(effect.detail for effect in side) for side in (above, below))
        return exact(value, ", ".join(sources), " against ".join(sides))

    def past_window(self, model: str) -> Effect | None:
        """The paper has no perplexity by position."""
        return None

    def k_max(self, model: str, method: str, factor: int, steps: int | None = None) -> Effect | None:
        """A cell of Table 4; without steps, the last that is printed."""
        table, window = paper.printed()["table4_passkey_kmax"], self.window(model, factor)
        row = _row(table["rows"], size=model, window=window, method=paper.METHODS[method])
        if row is None or (steps is not None and steps not in table["steps"]):
            return None
        known = {at: longest for at, longest in zip(table["steps"], row["kmax"], strict=True) if longest is not None}
        at = max(known) if steps is None else steps
        return exact(known[at] / window, "Table 4", f"{known[at]} of {window}, {at} steps") if at in known else None

    def accuracy(self, model: str, test: str, factor: int, text: str = "pile") -> Effect | None:
        """A cell of Table 5."""
        table = paper.printed()["table5_benchmarks"]
        tuned = text if factor > 1 else "none"
        row = _row(table["rows"], size=model, window=self.window(model, factor), data=tuned)
        if row is None:
            return None
        value: float = row["accuracy"][table["tasks"].index(test)]
        return exact(value, "Table 5", f"{value:.1f}")

    def accuracy_change(self, model: str, test: str, factor: int, text: str = "pile") -> Effect | None:
        """The difference of two cells of Table 5."""
        ours, base = self.accuracy(model, test, factor, text), self.accuracy(model, test, 1)
        if ours is None or base is None:
            return None
        return exact(_rounded(ours.value - base.value), "Table 5", f"{ours.detail} against {base.detail}")

    def rouge_lead(self, metric: str) -> Effect | None:
        """Against CoLT5 Base, in Table 6."""
        rows = {row["model"]: row["rouge"] for row in paper.printed()["table6_govreport"]["rows"]}
        ours, rival = (rows[name][ROUGES.index(metric)] for name in (OURS, RIVAL))
        return exact(_rounded(ours - rival), "Table 6", f"{ours:.1f} against {rival:.1f} of {RIVAL}")

    def theory(self, metric: str, head_dim: int | None = None, window: int | None = None) -> Effect | None:
        """What the paper's formulas give with its own d and c. Figure 2 states no number that could be read."""
        value = _formulas().get((metric, head_dim, window))
        return None if value is None else exact(value, "formulas of section 2")

    def _tuned(self, cell: Cell) -> tuple[float | str | None, str]:
        """Tables 1 and 2."""
        wanted = {"size": cell.model, "window": self.window(cell.model, cell.factor)}
        row = _row(paper.printed()[paper.TABLES[cell.task]], **wanted, method=paper.METHODS[cell.method])
        windows, at = paper.printed()["eval_windows"], self.window(cell.model, cell.at)
        found = None if row is None or at not in windows else row["ppl"][windows.index(at)]
        return found, paper.TITLES[cell.task]

    def _stepwise(self, cell: Cell) -> tuple[float | str | None, str]:
        """Table 3: 7B, PI, PG-19, at the extended window itself."""
        table = paper.printed()["table3_steps"]
        row = _row(table["rows"], window=self.window(cell.model, cell.factor))
        shape = (cell.model, cell.task, cell.method, cell.at)
        if row is None or shape != ("7B", "pg19", "pi", cell.factor) or cell.steps not in table["steps"]:
            return None, "Table 3"
        return row["ppl"][table["steps"].index(cell.steps)], "Table 3"


def _row(rows: Sequence[dict[str, Any]], **wanted: Any) -> dict[str, Any] | None:
    """The row of a printed table that has these values."""
    return next((row for row in rows if all(row[name] == value for name, value in wanted.items())), None)


@cache
def _formulas() -> dict[tuple[str, int | None, int | None], float]:
    """Section 2 for d = 128 and c = 10000, by metric, head dimension and window as the task `theory` records them."""
    constants = paper.printed()["paper"]
    dimension: int = constants["head_dim"]
    longest = max(paper.printed()["eval_windows"])
    (found,) = bounds.audit([dimension], constants["rope_base"])
    (extended,) = bounds.audit([dimension], constants["rope_base"], spans=longest)
    least = 2 * dimension * found.smallest_ratio  # of eq. 8's bound
    return {
        ("smallest_ratio", None, None): found.smallest_ratio,
        ("factor_printed", None, None): least / found.printed_bound,
        ("factor_corrected", None, None): least / found.corrected_bound,
        ("printed_bound", dimension, bounds.PLOTTED): found.printed_bound,
        ("corrected_bound", dimension, bounds.PLOTTED): found.corrected_bound,
        ("worst_midpoint_deviation", dimension, bounds.PLOTTED): found.worst_midpoint_deviation,
        ("smallest_ratio", dimension, longest): extended.smallest_ratio,
    }


def _rounded(difference: float) -> float:
    """A difference of numbers of one decimal, without the dust of binary arithmetic."""
    return round(difference, 1)
