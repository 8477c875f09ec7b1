"""results/claims.md: every claim, and what the paper's tables and each rung's records say about it."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from position_interpolation.display.formats import markdown_lines
from position_interpolation.evidence.evidence import EXPERIMENTS
from position_interpolation.evidence.judging import Outcome
from position_interpolation.report.judge import PAPER, SAID, Entry

SHOWN = ("tiny", "smollm2")  # rungs with a column even before anything is measured
HEADINGS = {PAPER: "Paper's own numbers"}  # of the columns that are no rung
INTRODUCTION = """\
# What the paper claims, and what holds

Each claim of [Position Interpolation](https://arxiv.org/abs/2306.15595) (arXiv:2306.15595v2) that a reader might cite,
in our words, held against numbers: first those that the paper itself prints, then our own. A rung is a size at which
the paper is run again; its numbers come from the `rows.jsonl` of its experiments. Behind the paper's claims stand those
that this project asks beyond them ("ours"). A page of results shows the same verdicts.
"""
LEGEND = """\
**How to read it.** Every claim says below what would have to be seen. If it speaks of several sizes, texts or windows,
each is a case, and the worst one decides. *Holds* and *does not hold* mean that the whole 95 % interval lies on one
side of what is needed. *No difference*: one number has to be lower than another, and the interval lies on both sides of
equality, within 1 % of it (of shares of questions, one point). *Within noise*: too little was measured to tell. Where
one seed of tuning was run and models are compared, the interval covers the spread known from where there are several,
2.4 %. Perplexities are compared on the same documents. Numbers that the paper prints have no interval: they are taken
as exact, and its `> 10^3` as 10^3. "(2 of 6)" means that two of the six cases were
measured; a cell that the paper leaves blank is no case. L is the window that a model was trained for, L' that to which
it was extended, FT the paper's name for tuning at L' without interpolating. A rung's PI and FT are tuned for as many
steps as the paper's if that was measured, else for as long as the longest there; the details say how long. A rung that
is extended less far than a claim speaks of answers at its own largest factor, unless the claim is about the factor; the
case says which.
"""
SOURCES = f"""\
## Where the numbers come from

The paper's are in `src/position_interpolation/assets/paper.yaml`; its formulas are evaluated for head dimension 128 and
base 10000. Section 2 needs no model: its numbers stand in the column of the rung under which they were computed. A
rung's numbers come from the experiments {", ".join(f"`{name}`" for name in EXPERIMENTS)}; where two of them measured
the same, the first in this order counts. Other experiments vary what the paper does not: they are evidence for those
claims alone that name them. The claims, with the limits that they are held to, are in
`src/position_interpolation/assets/claims.yaml`.
"""


def render(entries: Sequence[Entry]) -> str:
    """The page as markdown; a rung in `SHOWN` that has no records is shown as not measured."""
    measured = {name for entry in entries for name, found in entry.outcomes.items() if found.measured}
    rungs = [*SHOWN, *sorted(measured - {PAPER, *SHOWN})]
    ledger = [Entry(entry.claim, _columns(entry, rungs)) for entry in entries]
    theirs, ours = ([entry for entry in ledger if entry.claim.ours == own] for own in (False, True))
    text = [INTRODUCTION, _counts(theirs), LEGEND, _summary("## At a glance", theirs)]
    text += [*_opposed(theirs), _summary("## What this project asks beyond the paper", ours)]
    for subject, found in groupby(ledger, key=lambda entry: entry.claim.subject):
        text += [f"## {subject}\n", *map(_details, found)]
    return "\n".join([*text, SOURCES])


def _columns(entry: Entry, rungs: Sequence[str]) -> dict[str, Outcome]:
    """What each column of the ledger shows: the paper, unless the claim is ours, and every rung."""
    shown = [*([] if entry.claim.ours else [PAPER]), *rungs]
    return {HEADINGS.get(name, name): entry.outcomes.get(name, Outcome((), ())) for name in shown}


def _counts(ledger: Sequence[Entry]) -> str:
    """How many claims came out how, one line per column of the ledger."""
    lines = []
    for heading in ledger[0].outcomes:
        found = [entry.outcomes[heading] for entry in ledger]
        verdicts = Counter(one.verdict for one in found)
        counts = [(verdicts[verdict], said) for verdict, said in SAID.items() if verdicts[verdict]]
        counted = ", ".join(f"{count} {one if count == 1 else several}" for count, (one, several) in counts)
        part = sum(bool(one.measured and one.missing) for one in found)
        partly = f" ({part} of the verdicts rest on part of what the claim speaks of.)" if part else ""
        lines.append(f"- {heading}: of {len(ledger)} claims, {counted}.{partly}\n")
    return "".join(lines)


def _summary(title: str, ledger: Sequence[Entry]) -> str:
    """A table of verdicts: one row per claim, one column per evidence."""
    places = [] if ledger[0].claim.ours else ["Where it stands"]
    rows = [
        [_link(entry), *(entry.claim.where for _ in places), *map(_verdict, entry.outcomes.values())]
        for entry in ledger
    ]
    return f"{title}\n\n" + _table(["Claim", *places, *ledger[0].outcomes], rows)


def _opposed(ledger: Sequence[Entry]) -> list[str]:
    """Where a rung says the reverse of the paper's own numbers."""
    lines = []
    for entry in ledger:
        printed, *_ = entry.outcomes.values()
        for heading, ours in entry.outcomes.items():
            if {ours.verdict, printed.verdict} == {"holds", "does not hold"}:
                lines.append(
                    f"- {_link(entry)} On {heading} it **{ours.verdict}** ({_deciding(ours)}), "
                    f"by the paper's own numbers it **{printed.verdict}** ({_deciding(printed)}).\n"
                )
    return ["## Where a rung says the reverse of the paper's own numbers\n\n" + "".join(lines)] if lines else []


def _details(entry: Entry) -> str:
    """What one claim needs, and the case that decides it, for each evidence."""
    claim, outcomes = entry.claim, entry.outcomes.items()
    header = ["Evidence", "Verdict", "Deciding case", "Effect", "Needed", "Numbers", "From", "Cases measured"]
    rows = [[heading, _verdict(found), *_case(found)] for heading, found in outcomes]
    remarks = {HEADINGS.get(name, name): remark for name, remark in claim.remarks.items()}
    text = [f'### <a id="{claim.id}"></a>{claim.statement}\n']
    text += [] if claim.ours else [f"*Stands in:* {claim.where}.\n"]
    text += [f"*Would have to be seen:* {claim.needed}\n", _table(header, rows)]
    text += [f"{name}: {remarks[name]}\n" for name, found in outcomes if found.measured and name in remarks]
    return "\n".join([*text, *_every_case(entry)])


def _every_case(entry: Entry) -> list[str]:
    """All measured cases, folded away, if some evidence has more than the one that decides."""
    if all(len(found.measured) < 2 for found in entry.outcomes.values()):
        return []
    rows = [
        [heading, case.name, case.verdict, case.shown, case.needed, case.effect.detail]
        for heading, found in entry.outcomes.items()
        for case in found.measured
        if case.effect is not None
    ]
    table = _table(["Evidence", "Case", "Verdict", "Effect", "Needed", "Numbers"], rows)
    return [f"<details><summary>Every case that was measured</summary>\n\n{table}\n</details>\n"]


def _case(found: Outcome) -> list[str]:
    """The case that decides, and how many were measured."""
    worst = found.worst
    if worst is None or worst.effect is None:
        return ["", "", "", "", "", "none"]
    sources, measured = ", ".join(worst.effect.sources), f"{len(found.measured)} of {found.cases}"
    return [worst.name, worst.shown, worst.needed, worst.effect.detail, sources, measured]


def _deciding(found: Outcome) -> str:
    return "" if found.worst is None else f"{found.worst.name}: {found.worst.shown}"


def _verdict(found: Outcome) -> str:
    """The verdict, and, if cases are missing, how many it rests on."""
    if found.verdict == "not measured":
        return found.verdict
    return f"**{found.verdict}**" + (f" ({len(found.measured)} of {found.cases})" if found.missing else "")


def _link(entry: Entry) -> str:
    return f"[{entry.claim.statement}](#{entry.claim.id})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_lines([header, [":---"] * len(header), *rows])
