"""When PI's advantage appears: its perplexity over extrapolation's, and k_max, against the base's training tokens."""

from collections.abc import Iterator, Sequence
from functools import partial
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.base_tokens import tables
from position_interpolation.display import drawing, sideways
from position_interpolation.display.colours import colour, style
from position_interpolation.display.section import Section
from position_interpolation.evidence import select
from position_interpolation.evidence.comparison import Effect
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.tasks.passkey import rules

RIVALS = {True: "extrapolation tuned as long", False: "the base"}


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Bases stopped after growing numbers of tokens, all seeds together."""
    for group, rows in select.stopped(records).items():
        title = f"Perplexity by training tokens of the base: {group.task}, {group.source} text"
        drawings = (("base_tokens", partial(perplexity_figure, rows)),) if ratios(rows) else ()
        yield Section(title, rows, "base_tokens", tables.base_tokens_table(rows), drawings)
    found = [row for row in records if row.metric == "k_max" and row.base_tokens is not None]
    for rule in rules.SENTENCES:
        if keys := [row for row in found if row.protocol == rule]:
            drawings = (("base_tokens_passkey", partial(k_max_figure, keys)),)
            title = f"Passkey retrieval by training tokens of the base, rule {rule}"
            table = tables.base_tokens_table(keys, "k_max")
            yield Section(title, keys, "base_tokens_passkey", table, drawings)


def ratios(rows: Sequence[Record]) -> dict[Extension, dict[int, Effect]]:
    """Ratios of perplexities by treatment, then by training tokens of the base."""
    found: dict[Extension, dict[int, Effect]] = {}
    for ours, other in tables.pairs(rows):
        for base in tables.bases(rows):
            if (effect := tables.ratio(rows, base, ours, other)) is not None:
                found.setdefault(ours, {})[base.base_tokens or 0] = effect
    return found


@drawing.styled
def perplexity_figure(rows: Sequence[Record]) -> Figure:
    """PI's perplexity at L': tuned over that of extrapolation tuned as long, untuned over the base's.

    The rows are one group of `select.stopped` in which `ratios` finds some.
    """
    found = ratios(rows)
    kinds = [tuned for tuned in (True, False) if any(bool(ours.steps) == tuned for ours in found)]
    figure, panels = drawing.panels(*[1.5] * len(kinds))
    called = {ours: ours.label for ours in found}
    for axes, tuned in zip(panels, kinds, strict=True):
        for ours, curve in found.items():
            if bool(ours.steps) == tuned:
                drawing.line(axes, curve, ours, called)
        drawing.ratio_axis(axes, name="1: no difference")
        axes.set_title(f"PI over {RIVALS[tuned]}")
        _token_axis(axes, rows)
    panels[-1].set_xlabel("training tokens of the base")
    bars = "bars: 95 %, paired by document, reaching over single seeds"
    return drawing.finish(
        figure,
        f"{rows[0].model}: perplexity at a window of {tables.common_window(rows)}, "
        f"{select.counted(rows, 'document')}, mean of {len(tables.seeds(rows))} seeds; "
        f"{drawing.spread([effect for curve in found.values() for effect in curve.values()], bars)}",
        side="ratio of perplexities",
    )


@drawing.styled
def k_max_figure(rows: Sequence[Record]) -> Figure:
    """One line per treatment through the means over seeds, one small point per seed, of passkey records by one rule."""
    window, among = tables.common_window(rows), tables.treatments(rows)
    figure, (axes,) = drawing.panels(2.1)
    for treatment in among:
        means: dict[int, float] = {}
        name = "none" if treatment.method == "none" else treatment.label
        with sideways.together(axes, name):
            for base in tables.bases(rows):
                found = tables.by_seed(rows, tables.extension(base, treatment), "k_max", window)
                if values := [record.value for record in found.values()]:
                    tokens = base.base_tokens or 0
                    axes.plot([tokens] * len(values), values, ".", color=colour(treatment, among), alpha=0.5)
                    means[tokens] = fmean(values)
            if means:
                axes.plot(list(means), list(means.values()), label=name, **style(treatment, among))
    _token_axis(axes, rows)
    axes.set(xlabel="training tokens of the base", ylabel="k_max (tokens)")
    return drawing.finish(
        figure,
        f"{rows[0].model} in prompts of {window}, {select.counted(rows, 'trial')}, rule {rows[0].protocol}; "
        "lines through means over seeds, points single seeds",
    )


def _token_axis(axes: Axes, rows: Sequence[Record]) -> None:
    tokens = [base.base_tokens or 0 for base in tables.bases(rows)]
    drawing.log_ticks(axes, tokens, [f"{count / 1e6:.3g} M" for count in tokens])
