"""What a results folder shows, from its records: each part a table and the figures that go with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from matplotlib.figure import Figure

from position_interpolation.records import Record
from position_interpolation.report import (
    aggregation,
    base_tokens,
    base_tokens_figures,
    benchmark_figures,
    benchmark_tables,
    curves,
    figures,
    govreport_tables,
    groups,
    heads_figure,
    heads_tables,
    settings_figures,
    settings_tables,
    steps,
    steps_figures,
    steps_tables,
    tables,
    theory_figures,
    theory_tables,
    variants,
)
from position_interpolation.report.labels import extension_of, ordered
from position_interpolation.report.tables import Table


@dataclass(frozen=True)
class Section:
    """One part of a page: a table, the figures that go with it, and the stem of the table's files."""

    title: str
    stem: str
    table: Table
    drawings: tuple[tuple[str, Callable[[], Figure]], ...]  # file stem and how to draw it
    more: tuple[Table, ...] = ()  # the same numbers read otherwise: folded away


def sections(records: Sequence[Record]) -> list[Section]:
    """What the records allow to show, in the order of the page; drawing waits until it is asked for."""
    found: list[Section] = []
    taken: set[str] = set()
    for build in BUILDERS:
        for section in build(records):
            drawings = tuple((_free(stem, taken), draw) for stem, draw in section.drawings)
            stem = _free(section.stem, taken)
            taken |= {stem, *(name for name, _ in drawings)}
            found.append(replace(section, stem=stem, drawings=drawings))
    return found


def _free(stem: str, taken: set[str], number: int = 1) -> str:
    """The file name itself, or the first of its numbered kind that no earlier section has."""
    name = stem if number == 1 else f"{stem}_{number}"
    return _free(stem, taken, number + 1) if name in taken else name


def _perplexity(records: Sequence[Record]) -> Iterator[Section]:
    for place, (group, rows) in enumerate(groups.perplexities(records).items()):
        suffix = f"_{group.task}" if place else ""
        # `token` is the sound aggregation; it comes first unless it was not asked for.
        known = {record.protocol: None for record in rows if record.protocol is not None}
        main, *others = sorted(known, key=lambda protocol: protocol != "token")
        yield Section(
            f"Perplexity by evaluation window: {group.task}, {group.source} text",
            f"table{suffix}",
            tables.perplexity_table(rows, main),
            ((f"perplexity{suffix}", partial(figures.perplexity_figure, steps.ends(rows), main)),),
            tuple(tables.perplexity_table(rows, protocol) for protocol in others),
        )


def _passkey(records: Sequence[Record]) -> Iterator[Section]:
    for rows in groups.passkeys(records).values():
        draw = partial(figures.passkey_figure, rows)
        yield Section("Passkey retrieval", "passkey", tables.passkey_table(rows), (("passkey", draw),))


def _positions(records: Sequence[Record]) -> Iterator[Section]:
    for group, rows in groups.positions(records).items():
        title = f"Perplexity by position: {group.source} text"
        draw = partial(figures.positions_figure, rows)
        yield Section(title, "positions", tables.positions_table(rows), (("positions", draw),))


def _summaries(records: Sequence[Record]) -> Iterator[Section]:
    for group, rows in groups.summaries(records).items():
        draw = partial(govreport_tables.govreport_figure, rows)
        table = govreport_tables.govreport_table(rows)
        yield Section(f"Summaries of reports: {group.source} text", "govreport", table, (("govreport", draw),))


def _benchmarks(records: Sequence[Record]) -> Iterator[Section]:
    for rows in groups.benchmarks(records):
        compared = any(record.metric == "accuracy_change" for record in rows)
        draw = partial(benchmark_figures.changes_figure, rows)
        yield Section(
            "Zero-shot benchmarks at the base's window",
            "benchmarks",
            benchmark_tables.accuracy_table(rows),
            (("benchmark_changes", draw),) if compared else (),
            (benchmark_tables.accuracy_table(rows, "accuracy_normalised"),),
        )
        if compared:
            title = "Zero-shot benchmarks: each extension against its base"
            yield Section(title, "changes", benchmark_tables.changes_table(rows), ())


def _heads(records: Sequence[Record]) -> Iterator[Section]:
    for group, rows in groups.heads(records).items():
        drawings = []
        for extension in ordered(rows):
            own = [record for record in rows if extension_of(record) == extension]
            drawings.append((f"heads_{extension.model}", partial(heads_figure.heads_figure, own)))
        title = f"Real heads against the bounds: {group.source} text"
        yield Section(title, "heads", heads_tables.heads_table(rows), tuple(drawings))
        yield Section("Real heads: scores by span", "heads_spans", heads_tables.spans_table(rows), ())
        yield Section("Real heads: interpolation error by layer", "heads_layers", heads_tables.layers_table(rows), ())


def _theory(records: Sequence[Record]) -> Iterator[Section]:
    rows = [record for record in records if record.task == "theory"]
    stated = [record for record in rows if theory_tables.AUDITED.fullmatch(record.metric) is None]
    if stated:
        drawn = (
            ("figure_1", theory_figures.figure_1),
            ("figure_2", theory_figures.figure_2),
            ("figure_5", theory_figures.figure_5),
        )
        yield Section("Figures 1, 2 and 5", "theory", tables.theory_table(stated), drawn)
    if theory_tables.audited(rows):
        yield Section("The bounds by head dimension", "audit", theory_tables.audit_table(rows), ())


def _steps(records: Sequence[Record]) -> Iterator[Section]:
    """Tables 3 and 4, wherever an extension was measured after three or more step counts."""
    for group, rows in groups.perplexities(records).items():
        if steps.families(rows):
            draw = partial(steps_figures.perplexity_steps_figure, rows)
            title = f"Perplexity by tuning steps: {group.task}, {group.source} text"
            yield Section(title, "steps", steps_tables.perplexity_steps_table(rows), (("perplexity_steps", draw),))
    for rows in groups.passkeys(records).values():
        if steps.families(rows):
            draw = partial(steps_figures.passkey_steps_figure, rows)
            table = steps_tables.passkey_steps_table(rows)
            yield Section("Passkey retrieval by tuning steps", "passkey_steps", table, (("k_max_steps", draw),))


def _aggregation(records: Sequence[Record]) -> Iterator[Section]:
    for rows in groups.perplexities(records).values():
        if aggregation.asked(rows):
            yield Section(aggregation.QUESTION, "aggregation", aggregation.aggregation_table(rows), ())


def _settings(records: Sequence[Record]) -> Iterator[Section]:
    """A sweep over learning rates, or choices compared."""
    for group, rows in groups.compared(records).items():
        where = f"{group.task}, {group.source} text"
        if settings_tables.is_sweep(rows):
            draw = partial(settings_figures.sweep_figure, rows)
            title = f"Learning rate by steps: {where}"
            yield Section(title, "learning_rate", settings_tables.sweep_table(rows), (("learning_rate", draw),))
        else:
            yield Section(f"Choices: {where}", "choices", settings_tables.choices_table(rows), ())


def _bases(records: Sequence[Record]) -> Iterator[Section]:
    """Bases stopped after growing numbers of tokens, all seeds together."""
    for group, rows in groups.stopped(records).items():
        draw = partial(base_tokens_figures.base_tokens_figure, rows)
        title = f"Perplexity by training tokens of the base: {group.task}, {group.source} text"
        yield Section(title, "base_tokens", base_tokens.base_tokens_table(rows), (("base_tokens", draw),))
    retrieved = [row for row in records if row.metric == "k_max" and variants.tokens_of(row.model) is not None]
    if retrieved:
        draw = partial(base_tokens_figures.base_tokens_figure, retrieved, "k_max")
        title = "Passkey retrieval by training tokens of the base"
        table = base_tokens.base_tokens_table(retrieved, "k_max")
        yield Section(title, "base_tokens_passkey", table, (("base_tokens_passkey", draw),))


def _curves(records: Sequence[Record]) -> Iterator[Section]:
    for rows in curves.curves(records).values():
        draw = partial(steps_figures.curves_figure, rows)
        yield Section("Tuning curves", "tuning", curves.curves_table(rows), (("tuning", draw),))


# The first section of a page stands for it on the overview.
BUILDERS: tuple[Callable[[Sequence[Record]], Iterator[Section]], ...] = (
    _steps,
    _settings,
    _bases,
    _perplexity,
    _aggregation,
    _passkey,
    _positions,
    _benchmarks,
    _summaries,
    _heads,
    _theory,
    _curves,
)
