"""What a page shows of tuning steps: perplexity, k_max and training loss against the steps of an extension's tuning."""

from collections.abc import Iterator, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from position_interpolation.comparisons.steps import tables
from position_interpolation.display import drawing
from position_interpolation.display.section import Section
from position_interpolation.evidence import extensions, paper, seeds, select
from position_interpolation.evidence.comparison import Effect, exact, recorded
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.passkey import rules
from position_interpolation.tasks.tuning_curve import page

Lines = dict[Extension, dict[int, Effect]]  # numbers by steps; a family is named by its longest tuned extension


def sections(records: Sequence[Record]) -> Iterator[Section]:
    """Tables 3 and 4, wherever an extension was measured after three or more step counts.

    Where rivals were measured, `comparisons.rivals` shows what tuning brings.
    """
    if select.has_rivals(records):
        return
    for group, rows in select.perplexities(records).items():
        if extensions.families(rows):
            title = f"Perplexity by tuning steps: {group.task}, {group.source} text"
            draw = partial(ratio_steps_figure if ratios(rows) else perplexity_steps_figure, rows)
            yield Section(title, rows, "steps", tables.perplexity_steps_table(rows), (("perplexity_steps", draw),))
    for group, rows in rules.passkeys(records).items():
        if group.task == "passkey" and extensions.families(rows):
            draw = partial(passkey_steps_figure, rows, str(group.rule))
            table = tables.passkey_steps_table(rows, str(group.rule))
            title = f"Passkey retrieval by tuning steps, rule {group.rule}"
            yield Section(title, rows, "passkey_steps", table, (("k_max_steps", draw),))


def tuning_curves(records: Sequence[Record]) -> Iterator[Section]:
    """Training losses against steps."""
    for rows in page.curves(records):
        draw = partial(curves_figure, rows)
        yield Section("Tuning curves", rows, "tuning", page.curves_table(rows), (("tuning", draw),))


def ratios(rows: Sequence[Record]) -> Lines:
    """Perplexity at the extension's own window over the base's at L; nothing where the base was not measured."""
    found: Lines = {}
    for family in extensions.families(rows):
        for item in family:
            if (effect := seeds.over_base(rows, item, item.window)) is not None:
                found.setdefault(family[-1], {})[item.steps] = effect
    return found


@drawing.styled
def ratio_steps_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at the extension's own window over the base's at L, against steps (Table 3); below, the paper's.

    The axes span what is tuned; the untuned values, where the lines start, stand in the titles. The rows are one group
    of `select.perplexities` in which `ratios` finds some.
    """
    ours, task = ratios(rows), rows[0].task
    printed = {last: _printed_ratios(last, task) for last in ours}
    figure, panels = _above_the_papers(f"{next(iter(ours)).base}, {task}", ours, "Table 3", printed)
    for axes, lines in zip(panels, (ours, printed), strict=False):
        tuned = [effect for curve in lines.values() for steps, effect in curve.items() if steps]
        drawing.ratio_axis(axes, tuned, "1: the base at L")
        starts = [f"{curve[0].value:.3g} ({last.short_label})" for last, curve in lines.items() if 0 in curve]
        if starts:
            axes.set_title(f"{axes.get_title('left')}\nuntuned: {', '.join(starts)}")
    effects = [effect for curve in ours.values() for effect in curve.values()]
    documents = select.counted(rows, "document")
    side = "perplexity at L' / the base's at L"
    return drawing.finish(figure, f"{documents}, protocol token; {drawing.spread(effects, drawing.paired(ours))}", side)


@drawing.styled
def perplexity_steps_figure(rows: Sequence[Record]) -> Figure:
    """Perplexity at the extension's own window against steps, for rows without a base at L to divide by."""
    figure, (axes,) = drawing.panels(1.9)
    families = extensions.families(rows)
    called = {family[-1]: family[-1].short_label for family in families}
    for last, family in zip(called, families, strict=True):
        drawing.line(axes, _at_own_window(rows, family, "perplexity", "token"), last, called)
    drawing.perplexity_axis(axes, "perplexity at the own window L'")
    axes.set(title=f"{families[0][0].base}, {rows[0].task}", xlabel="tuning steps")
    documents = select.counted(rows, "document")
    return drawing.finish(figure, f"{documents}, protocol token; bars: 95 % bootstrap over documents")


@drawing.styled
def passkey_steps_figure(rows: Sequence[Record], rule: str) -> Figure:
    """k_max as a share of the extension's own window, against steps (Table 4); below, the paper's.

    The rows are one group of `rules.passkeys`, judged by `rule`, in which `extensions.families` finds some.
    """
    ours: Lines = {}
    for family in extensions.families(rows):
        found, last = _at_own_window(rows, family, "k_max"), family[-1]
        ours[last] = {steps: recorded(one).scaled(1 / last.window) for steps, one in found.items()}
    printed = {last: _printed_shares(last) for last in ours}
    figure, panels = _above_the_papers(next(iter(ours)).base, ours, "Table 4", printed)
    panels[0].margins(x=0.08)  # room for lines that are moved apart
    for axes in panels:
        axes.set(xlim=panels[0].get_xlim(), ylim=(-0.05, 1.05))
        axes.yaxis.set_major_formatter(drawing.percent)
    trials = select.trials([row for row in rows if row.metric == "success" and row.at is not None])
    return drawing.finish(
        figure,
        f"{trials} at each distance, rule {rule}; bars: 95 %, over the rates that the trials leave possible",
        side="k_max / own window L'",
    )


@drawing.styled
def curves_figure(rows: Sequence[Record]) -> Figure:
    """Training loss against step, one line per extension, of one group of `tuning_curve.page.curves`."""
    several = len({extension.model for extension in ordered(rows)}) > 1
    called = {item: item.short_label + (f" ({item.model})" if several else "") for item in ordered(rows)}
    figure, (axes,) = drawing.panels(2.1)
    for extension in called:
        curve = select.along(rows, extension, select.TRAINING_LOSS)
        drawing.line(axes, curve, extension, called, markevery=(0, max(1, len(curve) // 8)))
    axes.set(xlabel="tuning steps", ylabel="training loss (nats a token)")
    tokens = plural(max(record.n_tokens or 0 for record in rows), "token")
    return drawing.finish(
        figure, f"each point the mean over the steps since the last; up to {tokens} of {rows[0].data.get('name')}"
    )


def _above_the_papers(title: str, ours: Lines, table: str, printed: Lines) -> tuple[Figure, list[Axes]]:
    """A panel of our lines and, if the paper prints any of them in its table, one of these below."""
    known = {title: ours, f"The paper: LLaMA 7B, {table}": printed}
    figure, panels = drawing.panels(*[1.7] * (2 if any(printed.values()) else 1))
    called = {last: last.short_label for last in ours}
    for axes, (name, lines) in zip(panels, known.items(), strict=False):
        axes.set_title(name)
        for last, curve in lines.items():
            drawing.line(axes, curve, last, called)
    panels[-1].set_xlabel("tuning steps")
    return figure, panels


def _at_own_window(
    rows: Sequence[Record], family: Sequence[Extension], metric: str, protocol: str | None = None
) -> dict[int, Record]:
    """What a family reaches at its own window, by steps."""
    found = {item.steps: select.find(rows, item, metric, item.window, protocol) for item in family}
    return {steps: one for steps, one in found.items() if one is not None}


def _printed_ratios(last: Extension, task: str) -> dict[int, Effect]:
    """Table 3's perplexities over that of the paper's base."""
    base = paper.beside(last.untouched, task, "perplexity", last.base_window)
    return {} if base is None else _printed(last, task, "perplexity", base.value)


def _printed_shares(last: Extension) -> dict[int, Effect]:
    """Table 4's k_max over the paper's window, up to as many steps as ours."""
    shares = _printed(last, "passkey", "k_max", paper.window(last.window, last.base_window))
    return {steps: share for steps, share in shares.items() if steps <= last.steps}


def _printed(extension: Extension, task: str, metric: str, unit: float) -> dict[int, Effect]:
    """The numbers of Table 3 or 4 in a unit, by steps."""
    found = {count: tables.printed_after(count, extension, task, metric) for count in paper.step_counts()}
    return {count: exact(one.value / unit, one.experiment) for count, one in found.items() if one is not None}
