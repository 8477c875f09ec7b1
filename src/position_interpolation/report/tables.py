"""Records to tables: which number stands in which cell. How a table is written is `formats`' business."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from position_interpolation.records import Record
from position_interpolation.report import groups, paper
from position_interpolation.report.labels import (
    METHODS,
    Extension,
    extension_of,
    ordered,
    perplexity_text,
    plural,
    rate_text,
    whole,
)


@dataclass(frozen=True)
class Cell:
    """One value, its 95 % interval, and how many documents or trials it rests on; empty if not measured."""

    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Column:
    """A column: its name, how its numbers read, and whether they are ours, with an interval in the csv."""

    name: str
    show: Callable[[float], str] = whole
    measured: bool = False


@dataclass(frozen=True)
class Table:
    """A table of cells under a header."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)


THEORY = (
    "Figure 2, largest |a(s)|: of the draw shown, and outside the window over all draws, by solver. "
    "Figure 5: the ratio B(s) / d, and where it is smallest the factor between the two bounds."
)
EXTENSION = (Column("Model"), Column("Window L'"), Column("Method"), Column("Steps"))


def perplexity_table(records: Sequence[Record], protocol: str = "token") -> Table:
    """The layout of Tables 1 and 2: extensions by evaluation windows, the paper's numbers behind ours.

    Args:
        records: one group of `groups.perplexities`.
        protocol: which aggregation to show.
    """
    shown = [record for record in records if record.metric == "perplexity" and record.protocol == protocol]
    windows, extensions = groups.windows(shown), ordered(shown)
    rows, printed = [], []
    for extension in extensions:
        found = [groups.find(shown, extension, "perplexity", window, protocol) for window in windows]
        rows.append([*extension_cells(extension), *(cell_of(record) for record in found)])
        printed.append([paper.perplexity(extension, shown[0].task, window) for window in windows])
    columns = [*EXTENSION, *(Column(str(window), perplexity_text, measured=True) for window in windows)]
    kept = [place for place in range(len(windows)) if any(row[place] is not None for row in printed)]
    if protocol == "token":  # the paper does not say how it aggregates: its numbers stand once, beside the sound one
        base = extensions[0].base_window if extensions else 1
        columns += [Column(f"paper {paper.window(windows[place], base)}", perplexity_text) for place in kept]
        rows = [[*row, *(Cell(cells[place]) for place in kept)] for row, cells in zip(rows, printed, strict=True)]
    return Table(
        tuple(columns),
        tuple(map(tuple, rows)),
        _perplexity_caption(shown, protocol, len(columns) > len(EXTENSION) + len(windows)),
    )


def passkey_table(records: Sequence[Record]) -> Table:
    """The layout of Table 4: k_max of every extension, as a share of the window too, beside the paper's.

    Args:
        records: one group of `groups.passkeys`.
    """
    rows = []
    for extension, window in groups.asked(records):
        longest = groups.find(records, extension, "k_max", window)
        printed = paper.longest_passkey(extension)
        rows.append(
            (
                *extension_cells(extension),
                Cell(window),
                cell_of(longest),
                Cell(None if longest is None else longest.value / window),
                cell_of(groups.find(records, extension, "success", window)),
                Cell(None if printed is None else printed[0]),
                Cell(None if printed is None else printed[0] / printed[1]),
            )
        )
    columns = (
        *EXTENSION,
        Column("Prompt"),
        Column("k_max", whole, measured=True),
        Column("k_max / prompt", rate_text),
        Column("Success", rate_text, measured=True),
        Column("paper k_max", whole),
        Column("paper k_max / L'", rate_text),
    )
    return Table(columns, tuple(rows), _passkey_caption(records))


def positions_table(records: Sequence[Record]) -> Table:
    """Perplexity by position inside one long forward: one row an extension, one column a block of positions.

    Args:
        records: one group of `groups.positions`.
    """
    blocks = sorted({groups.block(record) for record in records})
    columns = [Column(f"{start}-{stop - 1}", perplexity_text, measured=True) for start, stop in blocks]
    rows = tuple(
        (
            *extension_cells(extension),
            *(cell_of(groups.find(records, extension, f"perplexity_{start}_{stop}")) for start, stop in blocks),
        )
        for extension in ordered(records)
    )
    documents = max((record.n_documents or 0 for record in records), default=0)
    caption = (
        f"Perplexity by block of positions inside one forward, over {plural(documents, 'document')}; "
        "in brackets the 95 % interval" + (" over segments of that one document." if documents == 1 else ".")
    )
    return Table((*EXTENSION, *columns), rows, caption)


def theory_table(records: Sequence[Record]) -> Table:
    """The numbers that Figures 2 and 5 state, the paper's beside them."""
    printed = {"factor_printed": float(paper.printed()["theory"]["claimed_ratio"])}
    rows = tuple(
        (Cell(record.metric.replace("_", " ")), Cell(record.value), Cell(printed.get(record.metric)))
        for record in records
    )
    columns = (
        Column("Number"),
        Column("Value", lambda value: f"{value:,.4g}", measured=True),
        Column("paper"),
    )
    return Table(columns, rows, THEORY)


def extension_cells(extension: Extension) -> tuple[Cell, ...]:
    """The cells under `EXTENSION`."""
    return Cell(extension.model), Cell(extension.window), Cell(method_name(extension)), Cell(extension.steps)


def method_name(extension: Extension) -> str:
    """What the column Method says of an extension."""
    return "trained at L" if extension.control else METHODS.get(extension.method, extension.method)


def cell_of(record: Record | None) -> Cell:
    """A record's value with its interval; an empty cell if it was not measured."""
    return Cell() if record is None else Cell(record.value, record.ci_low, record.ci_high, record.n_documents)


def _perplexity_caption(records: Sequence[Record], protocol: str, compared: bool) -> str:
    if not records:
        return "No perplexity was measured."
    first = records[0]
    documents = max(record.n_documents or 0 for record in records)
    tokens = max(record.n_tokens or 0 for record in records)
    caption = (
        f"Perplexity on {first.task} ({first.data.get('source')} text, {plural(documents, 'document')}, "
        f"{plural(tokens, 'scored token')}) by evaluation window in tokens; stride {first.stride}, "
        f"protocol {protocol}. In brackets the 95 % interval of a bootstrap over documents."
    )
    if compared:
        extension = extension_of(first)
        model = paper.size(extension.model if extension else "")
        caption += (
            f" Paper: LLaMA {model}, {paper.TITLES[first.task]}, windows at the same multiples of L; PI "
            "tuned 1000 steps, FT 10000" + (", untuned PI from Table 3." if first.task == "pg19" else ".")
        )
    return caption


def _passkey_caption(records: Sequence[Record]) -> str:
    rates = [record for record in records if groups.SUCCESS.fullmatch(record.metric)]
    if not rates:
        return "Passkey retrieval was not measured."
    extension, window = groups.asked(records)[-1]
    distances = len(groups.successes(records, extension, window))
    ends = [groups.find(records, extension, metric, window) for metric in ("nearest_key", "farthest_key")]
    built = [whole(end.value) for end in ends if end is not None]
    moved = (
        f"In prompts of {whole(window)} the key stands {' to '.join(built)} tokens from the end: the prompt's fixed "
        "lines leave no room outside, so distances beyond are moved there and keep their label. "
    )
    return (
        f"Passkey retrieval: {distances} distances k, {plural(rates[0].n_documents or 0, 'trial')} at each. "
        f"{moved if built else ''}"
        "k_max is the largest k up to which every distance reaches the threshold of success (task.threshold, "
        "20 % in the paper). In brackets 95 % intervals: of k_max over the rates that the trials leave possible, "
        f"Wilson for success. Paper: Table 4, LLaMA {paper.size(extension.model)}, PI after 1000 steps, FT after 10000."
    )
