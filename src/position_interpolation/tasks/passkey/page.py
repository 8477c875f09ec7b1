"""What a page shows of passkey retrieval: k_max and success beside the paper's Table 4."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from matplotlib.figure import Figure

from position_interpolation.display.section import Section
from position_interpolation.display.tables import EXTENSION, Column, Table, fill
from position_interpolation.evidence import extensions, paper, select
from position_interpolation.evidence.extensions import Extension, extension_of
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import rate_text, whole
from position_interpolation.tasks.passkey import figures, rules

LIKELIHOOD = "key_log_likelihood"
LIKELY = (
    "Log-likelihood: of the key, in nats a digit, mean over all trials with Student's t; guessing a digit gives -2.30. "
)


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Success by distance, k_max and the key's log-likelihood, by the rule that answers were judged by."""
    for group, rows in rules.passkeys(records).items():
        table, title = passkey_table(rows, str(group.rule)), f"Passkey retrieval, rule {group.rule}"
        yield Section(title, rows, group.task, table, tuple(_drawings(group, rows)))


def _drawings(group: select.Group, rows: Sequence[Record]) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """A map of extensions asked in prompts of several lengths, bars for the others, lines for the longest prompts."""
    rule, mapped = str(group.rule), figures.mapped(rows)
    if mapped:
        yield "passkey_map", partial(figures.map_figure, rows, rule)
    plain = [row for row in rows if extension_of(row) not in mapped]
    for end, own in select.by_figure(plain).items():
        if any(row.metric == "success" and row.at is not None for row in own):
            yield f"passkey{end}", partial(figures.passkey_figure, own, rule)
    likelihoods = [row for row in figures.of_longest_prompts(rows) if row.metric == LIKELIHOOD]
    for end, own in select.by_figure(extensions.ends(likelihoods)).items():
        if own:
            yield f"{group.task}_log_likelihood{end}", partial(figures.likelihood_figure, own, rule)


def passkey_table(records: Sequence[Record], rule: str) -> Table:
    """k_max of every extension, as a share of the prompt too, beside the paper's, of one group of `rules.passkeys`."""

    def ours(metric: str, extension: Extension, window: int) -> Record | None:
        return select.find(records, extension, metric, window)

    def theirs(extension: Extension, _: int) -> Record | None:
        return paper.beside(extension, "passkey", "k_max", extension.window)

    columns = (
        *EXTENSION,
        Column("Prompt", lambda _, window: window),
        Column("k_max", partial(ours, "k_max"), measured=True),
        Column("k_max / prompt", lambda *row: _share(ours("k_max", *row)), rate_text),
        Column("Success", partial(ours, "success"), rate_text, measured=True),
        Column("Log-likelihood", partial(ours, LIKELIHOOD), "{:.3f}".format, measured=True, optional=True),
        Column("paper k_max", theirs),
        Column("paper k_max / L'", lambda *row: _share(theirs(*row)), rate_text),
    )
    return fill(select.asked(records), columns, _caption(records, rule))


def _share(longest: Record | None) -> float | None:
    """k_max as a share of the prompt."""
    return None if longest is None else longest.value / (longest.eval_window or 1)


def _caption(records: Sequence[Record], rule: str) -> str:
    rates = [record for record in records if (record.metric, record.at is None) == ("success", False)]
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
        f"The key stands {places}: the prompt's first and last lines are fixed, so a distance that would fall into "
        "them is moved to their edge and keeps its name. "
    )
    return (
        f"Passkey retrieval: {distances} distances k, {select.trials(rates)} at each. "
        f"{moved if built else ''}{rules.SENTENCES[rule]} "
        "k_max is the largest k up to which every distance reaches the threshold of success (task.threshold, "
        "20 % in the paper). In brackets 95 % intervals: of k_max over the rates that the trials leave possible, "
        f"Wilson for success. {LIKELY if likely else ''}"
        f"Paper: Table 4, LLaMA {paper.sizes(item for item, _ in asked)}, PI after 1000 steps, FT after 10000."
    )
