"""The layout of Tables 1 and 2."""

from collections.abc import Sequence

from position_interpolation.display.tables import EXTENSION, Column, Table, cell_of, extension_cells, printed_cell
from position_interpolation.evidence import paper, select
from position_interpolation.evidence.extensions import extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text, plural, thousands


def perplexity_table(records: Sequence[Record], protocol: str = "token") -> Table:
    """The layout of Tables 1 and 2: extensions by evaluation windows, the paper's numbers behind ours.

    Args:
        records: one group of `select.perplexities`.
        protocol: which aggregation to show.
    """
    shown = [record for record in records if record.metric == "perplexity" and record.protocol == protocol]
    windows, extensions = select.windows(shown), ordered(shown)
    rows, printed = [], []
    for extension in extensions:
        found = [select.find(shown, extension, "perplexity", window, protocol) for window in windows]
        rows.append([*extension_cells(extension), *(cell_of(record) for record in found)])
        printed.append([paper.beside(extension, shown[0].task, "perplexity", window) for window in windows])
    columns = [*EXTENSION, *(Column(str(window), perplexity_text, measured=True) for window in windows)]
    kept = [place for place in range(len(windows)) if any(row[place] is not None for row in printed)]
    if protocol == "token":  # the paper does not say how it aggregates: its numbers stand once, beside the sound one
        base = extensions[0].base_window if extensions else 1
        columns += [Column(f"paper {paper.window(windows[place], base)}", perplexity_text) for place in kept]
        rows = [
            [*row, *(printed_cell(cells[place]) for place in kept)] for row, cells in zip(rows, printed, strict=True)
        ]
    return Table(
        tuple(columns),
        tuple(map(tuple, rows)),
        _perplexity_caption(shown, protocol, len(columns) > len(EXTENSION) + len(windows)) + _sample_caption(records),
    )


def _perplexity_caption(records: Sequence[Record], protocol: str, compared: bool) -> str:
    if not records:
        return "No perplexity was measured."
    first = records[0]
    documents = max(record.n_documents or 0 for record in records)
    counts = [record.n_tokens or 0 for record in records]
    scored = plural(max(counts), "scored token")
    if min(counts) < max(counts):  # a sample scores fewer at some windows
        scored = f"{thousands(min(counts))} to {scored}"
    caption = (
        f"Perplexity on {first.task} ({first.data.get('source')} text, {plural(documents, 'document')}, "
        f"{scored}) by evaluation window in tokens; stride {first.stride}, "
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


def _sample_caption(records: Sequence[Record]) -> str:
    """How far the full evaluation may lie, where a sample of windows stands for it."""
    sampled = [record for record in records if record.metric == select.OF_ALL_WINDOWS]
    if not sampled:
        return ""
    widest = max((record.ci_high or record.value) / record.value - 1 for record in sampled)
    return (
        " Each document's first and last windows were run, and a random sample of those between, which stands for all: "
        f"with 95 % confidence every window would give these values to within {widest:.1%}."
    )
