"""Checks of section 3.2, Tables 1 and 2: perplexity by evaluation window."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from position_interpolation.evidence import paper
from position_interpolation.evidence.effects import Cell, Effect, Evidence, exact
from position_interpolation.evidence.judging import Bar, Case, number, percent, times
from position_interpolation.evidence.verdicts import EXPLOSION
from position_interpolation.report.printed import Printed

FACTORS = (4, 8, 16)
TASKS = ("pg19", "proof_pile")
ROUNDING = 0.005  # half of the last digit of a printed perplexity
LOWER = Bar("below", 1.0)


def extends(evidence: Evidence, sizes: Sequence[str], factor: int) -> Iterator[Case]:
    """Tuned PI at its own window L' against the base at L."""
    largest = max((given for given in FACTORS if given <= factor), default=factor)
    if evidence.printed and largest < factor:
        yield Case("the largest factor in any table", exact(largest, "Tables 1 to 4"), Bar("at least", factor), times)
        return
    for model, task in _models_and_tasks(evidence, sizes):
        at_window = Cell(model, task, "pi", factor, factor)
        name = f"{model}, {task}: PI at {evidence.window(model, factor)} against the base at its window"
        effect = evidence.ratio([at_window], [base(model, task)])
        yield Case(name, effect, LOWER, percent)
        yield from _controlled(evidence, at_window, effect, LOWER)


def longer_windows_help(evidence: Evidence, sizes: Sequence[str], task: str) -> Iterator[Case]:
    """Each PI model at its own window L' against itself at L."""
    for model in evidence.models(sizes):
        for factor in _factors(evidence, model):
            yield _step(evidence, Cell(model, task, "pi", factor, 1), factor)


def every_doubling_helps(evidence: Evidence, sizes: Sequence[str], task: str, factors: Sequence[int]) -> Iterator[Case]:
    """Each PI model at one evaluation window against itself at half of that."""
    for model in evidence.models(sizes):
        for factor in factors:
            for shorter, longer in pairwise(2**power for power in range(factor.bit_length())):
                yield _step(evidence, Cell(model, task, "pi", factor, shorter), longer)


def gain_within_model(
    evidence: Evidence, sizes: Sequence[str], task: str, factor: int, reduction: float
) -> Iterator[Case]:
    """Whether perplexity falls from L to L' by the share that a stated reduction is of the paper's number."""
    for model in evidence.models(sizes):
        start = Cell(model, task, "pi", factor, 1)
        bar = Bar("at most", 1 - _share(reduction - ROUNDING, start))
        yield _step(evidence, start, factor, bar)


def gains_on_one_yardstick(
    evidence: Evidence, sizes: Sequence[str], task: str, factor: int, reductions: Mapping[str, float]
) -> Iterator[Case]:
    """By how much the stated reductions miss the tables, counted in the way that misses least at its worst size.

    The claim is about the printed numbers alone: records are not asked.
    """
    name, bar = "largest miss over the sizes, under the better way of counting", Bar("at most", ROUNDING)
    if not evidence.printed:
        yield Case(name, None, bar, number)
        return
    misses, details = [], []
    for counted, start in (("from the same model at 2048", "pi"), ("from the base at 2048", "none")):
        drops = {size: _drop(evidence, size, task, factor, start) for size in reductions}
        misses.append(max(abs(drop - reductions[size]) for size, drop in drops.items()))
        details.append(f"{counted} " + ", ".join(f"{drop:.2f}" for drop in drops.values()))
    stated = ", ".join(f"{reduction:.2f} ({size})" for size, reduction in reductions.items())
    yield Case(name, exact(min(misses), paper.TITLES[task], f"stated {stated}; {'; '.join(details)}"), bar, number)


def base_explodes(evidence: Evidence, sizes: Sequence[str], task: str) -> Iterator[Case]:
    """The untuned base at 4 L and beyond against itself at L; else by position inside one forward."""
    bar = Bar("above", EXPLOSION)
    for model in evidence.models(sizes):
        start, cases = base(model, task), []
        for at in _factors(evidence, model, tuned=False):
            name = f"{model}, {task}: the base at {evidence.window(model, at)} against {evidence.window(model, 1)}"
            cases.append(Case(name, evidence.ratio([Cell(model, task, "none", 1, at)], [start]), bar, times))
        by_position = evidence.past_window(model)
        if by_position is not None and not any(case.effect for case in cases):
            name = f"{model}: the base past position {evidence.window(model, 1)} against before it"
            cases = [Case(name, by_position, bar, times)]
        yield from cases


def extrapolation_gains_less(evidence: Evidence, sizes: Sequence[str], factor: int) -> Iterator[Case]:
    """FT's gain from L to L' against PI's: a ratio of ratios."""
    for model, task in _models_and_tasks(evidence, sizes):
        own = evidence.factor(model, factor)
        tuned, interpolated = (
            [Cell(model, task, method, own, at) for at in (own, 1)] for method in ("extrapolation", "pi")
        )
        effect = evidence.ratio([tuned[0], interpolated[1]], [tuned[1], interpolated[0]])
        name = f"{model}, {task}: FT from {evidence.window(model, 1)} to {evidence.window(model, own)} against PI"
        yield Case(name, effect, Bar("above", 1.0), percent)


def extrapolation_gain_at_most(
    evidence: Evidence, sizes: Sequence[str], factor: int, reduction: float
) -> Iterator[Case]:
    """FT at L' against itself at L, beside the share that a stated reduction is of the paper's number."""
    for model, task in _models_and_tasks(evidence, sizes):
        start = Cell(model, task, "extrapolation", factor, 1)
        bar = Bar("at least", 1 - _share(reduction + ROUNDING, start))
        yield _step(evidence, start, factor, bar)


def pi_beats_extrapolation(evidence: Evidence, sizes: Sequence[str], factor: int) -> Iterator[Case]:
    """PI against FT, both at L'."""
    for model, task in _models_and_tasks(evidence, sizes):
        own = evidence.factor(model, factor)
        ours, other = (Cell(model, task, method, own, own) for method in ("pi", "extrapolation"))
        name = f"{model}, {task}: PI against FT at {evidence.window(model, own)}"
        yield Case(name, evidence.ratio([ours], [other]), LOWER, percent)


def short_texts_keep(evidence: Evidence, sizes: Sequence[str], task: str, most: float) -> Iterator[Case]:
    """Tuned PI at L against the base at L."""
    for model in evidence.models(sizes):
        for factor in _factors(evidence, model):
            at_base = Cell(model, task, "pi", factor, 1)
            name = f"{model}, {task}: PI x{factor} against the base, both at {evidence.window(model, 1)}"
            effect = evidence.ratio([at_base], [base(model, task)])
            yield Case(name, effect, Bar("at most", most), percent)
            yield from _controlled(evidence, at_base, effect, Bar("at most", most))


def _factors(evidence: Evidence, model: str, tuned: bool = True) -> tuple[int, ...]:
    """The paper's factors, or the one that stands for all of them."""
    least = evidence.factor(model, FACTORS[0], tuned)
    return FACTORS if least == FACTORS[0] else (least,)


def base(model: str, task: str) -> Cell:
    """The untuned base at its own window."""
    return Cell(model, task, "none", 1, 1)


def _models_and_tasks(evidence: Evidence, sizes: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((model, task) for model in evidence.models(sizes) for task in TASKS)


def _controlled(evidence: Evidence, cell: Cell, uncontrolled: Effect | None, bar: Bar) -> Iterator[Case]:
    """PI against the base tuned for as long at L, if the same experiment measured that; the paper did not."""
    effect = evidence.ratio([cell], [Cell(cell.model, cell.task, "extrapolation", 1, 1)])
    if effect is not None and uncontrolled is not None and effect.source == uncontrolled.source:
        window = evidence.window(cell.model, cell.at)
        name = f"{cell.model}, {cell.task}: PI x{cell.factor} at {window} against a base tuned as long at its window"
        yield Case(name, effect, bar, percent)


def _step(evidence: Evidence, start: Cell, at: int, bar: Bar = LOWER) -> Case:
    """One extension at a longer evaluation window against a shorter one."""
    longer = Cell(start.model, start.task, start.method, start.factor, at)
    method = "PI" if start.method == "pi" else "FT"
    windows = " against ".join(str(evidence.window(start.model, multiple)) for multiple in (at, start.at))
    name = f"{start.model}, {start.task}: {method} x{start.factor} at {windows}"
    return Case(name, evidence.ratio([longer], [start]), bar, percent)


def _share(reduction: float, start: Cell) -> float:
    """A reduction as a share of the perplexity that the paper prints for this cell and the model's size."""
    size = paper.size(start.model)
    printed = Printed().perplexity(Cell(size, start.task, start.method, start.factor, start.at))
    seven = Printed().perplexity(Cell("7B", start.task, start.method, start.factor, start.at))
    found = printed or seven
    if found is None:
        raise ValueError(f"the paper prints no perplexity for {start}")
    return reduction / found.value


def _drop(evidence: Evidence, size: str, task: str, factor: int, start: str) -> float:
    """How far perplexity falls to that of PI at L', in the paper's units, from PI or the base at L."""
    first = Cell(size, task, "pi", factor, 1) if start == "pi" else base(size, task)
    ends = [evidence.perplexity(cell) for cell in (first, Cell(size, task, "pi", factor, factor))]
    high, low = (end.value for end in ends if end is not None)
    return round(high - low, 2)
