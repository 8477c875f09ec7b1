"""Passkey retrieval by extension: k_max and success beside the paper's Table 4."""

from collections.abc import Sequence

from position_interpolation.display.tables import EXTENSION, Cell, Column, Table, cell_of, extension_cells, printed_cell
from position_interpolation.evidence import paper, select
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, rate_text, whole
from position_interpolation.tasks.passkey import rules

LIKELIHOOD = "key_log_likelihood"
LIKELY = (
    "Log-likelihood: of the key, in nats a digit, mean over all trials with Student's t; guessing a digit gives -2.30. "
)


def passkey_table(records: Sequence[Record], rule: str) -> Table:
    """The layout of Table 4: k_max of every extension, as a share of the window too, beside the paper's.

    Args:
        records: one group of `rules.passkeys`.
        rule: by which answers were judged.
    """
    likely = any(record.metric == LIKELIHOOD for record in records)
    rows = []
    for extension, window in select.asked(records):
        longest = select.find(records, extension, "k_max", window)
        printed = paper.beside(extension, "passkey", "k_max", extension.window)
        rows.append(
            (
                *extension_cells(extension),
                Cell(window),
                cell_of(longest),
                Cell(None if longest is None else longest.value / window),
                cell_of(select.find(records, extension, "success", window)),
                *([cell_of(select.find(records, extension, LIKELIHOOD, window))] if likely else []),
                printed_cell(printed),
                Cell(None if printed is None else printed.value / (printed.window or 1)),
            )
        )
    columns = (
        *EXTENSION,
        Column("Prompt"),
        Column("k_max", whole, measured=True),
        Column("k_max / prompt", rate_text),
        Column("Success", rate_text, measured=True),
        *([Column("Log-likelihood", "{:.3f}".format, measured=True)] if likely else []),
        Column("paper k_max", whole),
        Column("paper k_max / L'", rate_text),
    )
    return Table(columns, tuple(rows), _passkey_caption(records, rule))


def _passkey_caption(records: Sequence[Record], rule: str) -> str:
    rates = [record for record in records if (record.metric, record.at is None) == ("success", False)]
    if not rates:
        return "Passkey retrieval was not measured."
    likely = any(record.metric == LIKELIHOOD for record in records)
    asked = select.asked(records)
    extension, window = asked[-1]
    distances = len(select.by_distance(records, extension, window))
    built = {}
    for item, length in asked:
        ends = [select.find(records, item, metric, length) for metric in ("nearest_key", "farthest_key")]
        if found := [whole(end.value) for end in ends if end is not None]:
            built[length] = f"{' to '.join(found)} tokens from the end in prompts of {whole(length)}"
    places = ", ".join(built[length] for length in sorted(built))
    moved = (
        f"The key stands {places}: the prompt's fixed lines leave no room outside, so distances "
        "beyond are moved there and keep their label. "
    )
    return (
        f"Passkey retrieval: {distances} distances k, {plural(rates[0].n_documents or 0, 'trial')} at each. "
        f"{moved if built else ''}{rules.SENTENCES[rule]} "
        "k_max is the largest k up to which every distance reaches the threshold of success (task.threshold, "
        "20 % in the paper). In brackets 95 % intervals: of k_max over the rates that the trials leave possible, "
        f"Wilson for success. {LIKELY if likely else ''}"
        f"Paper: Table 4, LLaMA {paper.size(extension.model)}, PI after 1000 steps, FT after 10000."
    )
