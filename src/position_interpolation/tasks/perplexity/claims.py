"""Checks of perplexity by evaluation window (section 3.2, Tables 1 and 2). Most are one ratio of two readings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise, product

from position_interpolation.evidence import comparison, paper, select
from position_interpolation.evidence.comparison import exact
from position_interpolation.evidence.evidence import Evidence, Wanted
from position_interpolation.evidence.judging import ALIKE, Bar, Case, Kind, number, percent, times
from position_interpolation.evidence.words import plural
from position_interpolation.tasks.perplexity import aggregation
from position_interpolation.tasks.perplexity.windows import DOCUMENT_LOSSES
from position_interpolation.tasks.positions.claims import past_window

TASKS = ("pg19", "proof_pile")
ROUNDING = 0.005  # half of the last digit of a printed perplexity
Asked = Mapping[str, str | int]  # method, at (`L` or `L'`), steps


def ratio(
    evidence: Evidence,
    over: Asked,
    under: Asked,
    kind: Kind = "below",
    limit: float = 1.0,
    tasks: Sequence[str] = TASKS,
    factors: Sequence[int] = (),
    up_to: int | None = None,
    control: bool = False,
) -> Iterator[Case]:
    """One reading of perplexity over another, for every model, text and factor.

    A reading's method is `none`, `pi`, `extrapolation`, or `control` (a base tuned as long at L). The factors are those
    named, the largest that the evidence has up to `up_to`, or all that it has. With `control`, `over` is also compared
    with a base tuned as long at L, where the same experiment has one.
    """
    bar = Bar(kind, limit, ALIKE if limit == 1 else 0.0)
    tuned = over.get("steps") != 0 and over["method"] != "none"
    for model, task in product(evidence.models, tasks):
        own = evidence.factors(model, tuned) if up_to is None else (evidence.factor(model, up_to, tuned),)
        for factor in factors or own:
            above, below = (_reading(asked, model, task, factor) for asked in (over, under))
            case = _case(evidence, above, below, bar)
            yield case
            if control:
                base = _reading({"method": "control", "at": "L"}, model, task, factor)
                other = _case(evidence, above, base, bar)
                if case.effect and other.effect and case.effect.sources == other.effect.sources:
                    yield other


def extends(evidence: Evidence, factor: int) -> Iterator[Case]:
    """Tuned PI at its own window L' against the base at L."""
    largest = max((round(one.factor) for one in evidence.records if one.factor), default=factor)
    if evidence.printed and largest < factor:
        yield Case("the largest factor in any table", exact(largest, "Tables 1 to 4"), Bar("at least", factor), times)
    else:
        over, under = {"method": "pi", "at": "L'"}, {"method": "none", "at": "L"}
        yield from ratio(evidence, over, under, factors=[factor], control=True)


def every_doubling_helps(evidence: Evidence, task: str, factors: Sequence[int]) -> Iterator[Case]:
    """Each PI model at one evaluation window against the same model at half of that window."""
    for model, factor in product(evidence.models, factors):
        for shorter, longer in pairwise(2**power for power in range(factor.bit_length())):
            above, below = (Wanted(model, task, "pi", factor, at) for at in (longer, shorter))
            yield _case(evidence, above, below, Bar("below", 1.0, ALIKE))


def stated_reduction(
    evidence: Evidence, method: str, factor: int, reduction: float, kind: Kind, tasks: Sequence[str] = TASKS,
    size: str | None = None,
) -> Iterator[Case]:  # fmt: skip
    """The change from L to L', against a stated reduction as a share of the perplexity that the paper prints at L.

    Rounding of the printed numbers counts in the claim's favour.
    """
    amount = reduction + (-ROUNDING if kind == "at most" else ROUNDING)
    for model, task in product(evidence.models, tasks):
        if size in (None, paper.size(model)):
            above, below = (Wanted(model, task, method, factor, at) for at in (factor, 1))
            bar = Bar(kind, 1 - amount / printed_perplexity(below))
            yield _case(evidence, above, below, bar)


def gains_on_one_yardstick(
    evidence: Evidence, task: str, factor: int, reductions: Mapping[str, float]
) -> Iterator[Case]:
    """How far the stated reductions are from the tables, if counted in the way that fits them best.

    The claim is about printed numbers alone, so no measured records are asked.
    """
    name, bar = "largest miss over the sizes, under the better way of counting", Bar("at most", ROUNDING)
    if not evidence.printed:
        yield Case(name, None, bar, number)
        return
    misses, details = [], []
    for counted, method, own in (("from the same model at 2048", "pi", factor), ("from the base at 2048", "none", 1)):
        drops = {}
        for size in reductions:
            start, end = Wanted(size, task, method, own, 1), Wanted(size, task, "pi", factor, factor)
            drops[size] = round(printed_perplexity(start) - printed_perplexity(end), 2)
        misses.append(max(abs(drop - reductions[size]) for size, drop in drops.items()))
        details.append(f"{counted} " + ", ".join(f"{drop:.2f}" for drop in drops.values()))
    stated = ", ".join(f"{reduction:.2f} ({size})" for size, reduction in reductions.items())
    yield Case(name, exact(min(misses), paper.TITLES[task], f"stated {stated}; {'; '.join(details)}"), bar, number)


def base_explodes(evidence: Evidence, task: str, limit: float) -> Iterator[Case]:
    """The untuned base at 4 L and beyond against itself at L; without these, by position inside one forward."""
    for model in evidence.models:
        start, bar = Wanted(model, task, "none", 1, 1), Bar("above", limit)
        factors = evidence.factors(model, tuned=False)
        cases = [_case(evidence, replace(start, at=at), start, bar) for at in factors]
        by_position = past_window(evidence, model)
        if by_position is not None and not any(case.effect for case in cases):
            name = f"{model}: the base past position {evidence.window(model, 1)} against before it"
            cases = [Case(name, by_position, bar, times)]
        yield from cases


def extrapolation_gains_less(evidence: Evidence, factor: int) -> Iterator[Case]:
    """FT's gain from L to L' against PI's: a ratio of ratios."""
    for model, task in product(evidence.models, TASKS):
        own = evidence.factor(model, factor)
        tuned, interpolated = (
            [Wanted(model, task, method, own, at) for at in (own, 1)] for method in ("extrapolation", "pi")
        )
        effect = evidence.ratio([tuned[0], interpolated[1]], [tuned[1], interpolated[0]])
        name = f"{model}, {task}: FT from {evidence.window(model, 1)} to {evidence.window(model, own)} against PI"
        yield Case(name, effect, Bar("above", 1.0, ALIKE), percent)


def windows_alike_rise(evidence: Evidence) -> Iterator[Case]:
    """From 8 L to 16 L on documents cut to 16 L: a rise if every window counts alike, and none if every token does."""
    for rows in select.perplexities(evidence.records).values():
        for item in aggregation.asked(rows):
            for protocol, bar in (("window", Bar("above", 1.0, ALIKE)), ("token", Bar("at most", 1.0, ALIKE))):
                largest, half = (
                    comparison.document_losses(rows, item, window, DOCUMENT_LOSSES[protocol])
                    for window in (item.window, item.window // 2)
                )
                found = comparison.paired(largest, half)
                name = f"{item.model}: {item.short_label} at {item.window} against {item.window // 2}, {protocol} alike"
                if found is not None:
                    detail = f"{plural(found.documents, 'document')} of {rows[0].task}"
                    found = replace(found, sources=(rows[0].experiment,), detail=detail)
                yield Case(name, found, bar, percent)


def printed_perplexity(reading: Wanted) -> float:
    """The perplexity that the paper prints for this and the model's size, or else for 7B."""
    found = (_paper().perplexity(replace(reading, model=f"LLaMA-{size}")) for size in (paper.size(reading.model), "7B"))
    return next(effect.value for effect in found if effect is not None)


@cache
def _paper() -> Evidence:
    return Evidence(paper.records(), printed=True)


def _reading(asked: Asked, model: str, task: str, factor: int) -> Wanted:
    method, steps = str(asked["method"]), asked.get("steps")
    own = 1 if method in ("none", "control") else factor
    name = "extrapolation" if method == "control" else method
    multiple = {"L": 1, "L'": factor}[str(asked["at"])]
    return Wanted(model, task, name, own, multiple, None if steps is None else int(steps))


def _case(evidence: Evidence, above: Wanted, below: Wanted, bar: Bar) -> Case:
    """One reading over another, such as `tiny, pg19: PI x4 at 1024 against 256`."""
    window = evidence.window(below.model, below.at)
    other = str(window) if replace(above, at=below.at) == below else _named(evidence, below)
    name = f"{above.model}, {above.task}: {_named(evidence, above)} against {other}"
    show = times if bar.limit >= 2 else percent  # a multiple is told as one
    return Case(name, evidence.ratio([above], [below]), bar, show)


def _named(evidence: Evidence, reading: Wanted) -> str:
    window = evidence.window(reading.model, reading.at)
    if reading.factor == 1:
        tuned = "the base" if reading.method == "none" else "a base tuned as long"
        return f"{tuned} at {window}"
    name = f"{'PI' if reading.method == 'pi' else 'FT'} x{reading.factor}"
    if reading.steps:
        name += f" after {reading.steps} steps"
    return f"{'untuned ' if reading.steps == 0 else ''}{name} at {window}"
