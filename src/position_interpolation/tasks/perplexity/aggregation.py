"""Table 2's rise at its largest window under three aggregations: is it the text, or the way windows are averaged?

A document cut to 16 L fills a window of 16 L once. If all windows count alike, this one, which starts without context,
gets nearly all the weight. At 8 L the document has many windows, of which only one starts without context.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from position_interpolation.display.tables import EXTENSION, Column, Table, each, fill
from position_interpolation.evidence import paper, select
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import OVER_DOCUMENTS, perplexity_text

TASK = "proof_pile"
LARGEST = 16  # L' / L
MULTIPLES = (LARGEST // 2, LARGEST)  # W / L
PROTOCOLS = ("token", "window", "document")
PERCENT = "{:+.1f} %".format
QUESTION = "Does window aggregation explain the rise at the largest window?"
CAPTION = (
    "Perplexity on documents cut to 16 L at half of the largest window and at the largest, under each reading of "
    "the sliding window: every token, every window or every document alike. The paper does not say which is its "
    f"own; its numbers stand in every row. {OVER_DOCUMENTS}"
)


def asked(rows: Sequence[Record]) -> list[Extension]:
    """The extensions to 16 L of a text that is cut to 16 L and was aggregated by window; none for other texts."""
    return [
        item
        for item in ordered(rows)
        if (rows[0].task, item.factor) == (TASK, LARGEST)
        and all(select.find(rows, item, "perplexity", at, "window") for at in (item.window // 2, item.window))
    ]


def aggregation_table(rows: Sequence[Record]) -> Table:
    """Perplexity at 8 L and 16 L under each protocol, the change, and the paper's numbers.

    The rows are one group of `select.perplexities` for which `asked` finds some.
    """

    def ours(multiple: int, item: Extension, protocol: str) -> Record | None:
        return select.find(rows, item, "perplexity", multiple * item.base_window, protocol)

    def theirs(multiple: int, item: Extension, _: str) -> Record | None:
        return paper.beside(item, TASK, "perplexity", multiple * item.base_window)

    def printed(multiple: int) -> str:
        return f"paper {paper.window(multiple * base, base)}"

    base = asked(rows)[0].base_window
    columns = (
        *EXTENSION,
        Column("Protocol", lambda _, protocol: protocol),
        *each(MULTIPLES, lambda multiple: str(multiple * base), ours, perplexity_text, measured=True),
        Column("Change", partial(_change, ours), PERCENT),
        *each(MULTIPLES, printed, theirs, perplexity_text),
        Column("paper change", partial(_change, theirs), PERCENT),
    )
    return fill(product(asked(rows), PROTOCOLS), columns, CAPTION)


def _change(numbers: Callable[[int, Extension, str], Record | None], item: Extension, protocol: str) -> float | None:
    """In per cent, from half of the largest window to the largest."""
    half, largest = (numbers(multiple, item, protocol) for multiple in MULTIPLES)
    return None if half is None or largest is None else 100 * (largest.value / half.value - 1)
