"""Passkey retrieval by extension: k_max and success beside the paper's Table 4."""

from collections.abc import Sequence

from position_interpolation.records import Record
from position_interpolation.report import groups, paper
from position_interpolation.report.labels import (
    plural,
    rate_text,
    whole,
)
from position_interpolation.report.tables import EXTENSION, Cell, Column, Table, cell_of, extension_cells


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


def _passkey_caption(records: Sequence[Record]) -> str:
    rates = [record for record in records if groups.SUCCESS.fullmatch(record.metric)]
    if not rates:
        return "Passkey retrieval was not measured."
    asked = groups.asked(records)
    extension, window = asked[-1]
    distances = len(groups.successes(records, extension, window))
    built = {}
    for item, length in asked:
        ends = [groups.find(records, item, metric, length) for metric in ("nearest_key", "farthest_key")]
        if found := [whole(end.value) for end in ends if end is not None]:
            built[length] = f"{' to '.join(found)} tokens from the end in prompts of {whole(length)}"
    places = ", ".join(built[length] for length in sorted(built))
    moved = (
        f"The key stands {places}: the prompt's fixed lines leave no room outside, so distances "
        "beyond are moved there and keep their label. "
    )
    return (
        f"Passkey retrieval: {distances} distances k, {plural(rates[0].n_documents or 0, 'trial')} at each. "
        f"{moved if built else ''}"
        "k_max is the largest k up to which every distance reaches the threshold of success (task.threshold, "
        "20 % in the paper). In brackets 95 % intervals: of k_max over the rates that the trials leave possible, "
        f"Wilson for success. Paper: Table 4, LLaMA {paper.size(extension.model)}, PI after 1000 steps, FT after 10000."
    )
