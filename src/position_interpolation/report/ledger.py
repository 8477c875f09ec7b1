"""results/claims.md: every claim, and what the paper's tables and each rung's records say about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from position_interpolation.display.formats import markdown_lines
from position_interpolation.evidence.evidence import EXPERIMENTS
from position_interpolation.evidence.judging import Outcome, Verdict
from position_interpolation.report.judge import PAPER, SAID, Entry, papers

SHOWN = ("tiny", "smollm2")  # rungs with a column even before anything is measured
MANY: dict[Verdict, str] = {  # of several claims; in the order of the ledger's counts
    "holds": "hold",
    "does not hold": "do not hold",
    "no difference": "show no difference",
    "within noise": "are within noise",
    "not measured": "are not measured",
}
SUBJECTS = {
    "perplexity": "Perplexity by evaluation window (Tables 1 and 2)",
    "steps": "Perplexity by steps of tuning (Table 3)",
    "passkey": "Passkey retrieval (Table 4)",
    "benchmarks": "Benchmarks at the original window (Table 5)",
    "govreport": "Summaries of long reports (Table 6)",
    "theory": "Theory (section 2, appendix A, Figures 2 and 5)",
    "tables": "Ours: beside the paper's tables",
    "quickstart": "Ours: the quick start, which tunes for 100 steps and reads another text",
    "plain_text": "Ours: tuning text that asks for no keys, as the paper's",
    "positions": "Ours: perplexity by position inside one long text",
    "heads": "Ours: the bounds at other head dimensions, and on real heads",
    "base_tokens": "Ours: bases that were stopped early",
    "sweeps": "Ours: what the paper leaves open about tuning",
}
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
    titles = {PAPER: papers().title, **{name: name for name in rungs}}
    ledger = [Entry(entry.claim, _columns(entry, rungs)) for entry in entries]
    theirs, ours = ([entry for entry in ledger if entry.claim.ours == own] for own in (False, True))
    parts = [INTRODUCTION, _counts(theirs, titles), LEGEND, _summary("## At a glance", theirs, titles)]
    parts += [_opposed(theirs, titles), _summary("## What this project asks beyond the paper", ours, titles)]
    for subject, found in groupby(ledger, key=lambda entry: entry.claim.subject):
        parts.append(f"## {SUBJECTS[subject]}\n")
        parts += [_details(entry, titles) for entry in found]
    parts.append(SOURCES)
    return "\n".join(part for part in parts if part)


def _columns(entry: Entry, rungs: Sequence[str]) -> dict[str, Outcome]:
    shown = [*([] if entry.claim.ours else [PAPER]), *rungs]
    return {name: entry.outcomes.get(name, Outcome((), ())) for name in shown}


def _counts(ledger: Sequence[Entry], titles: Mapping[str, str]) -> str:
    """How many claims came out how, one line per column of the ledger."""
    lines = []
    for name, title in titles.items():
        verdicts = Counter(entry.outcomes[name].verdict for entry in ledger)
        counts = {verdict: verdicts[verdict] for verdict in MANY if verdicts[verdict]}
        counted = ", ".join(f"{count} {(SAID if count == 1 else MANY)[verdict]}" for verdict, count in counts.items())
        part = sum(bool(entry.outcomes[name].measured and entry.outcomes[name].missing) for entry in ledger)
        partly = f" ({part} of the verdicts rest on part of what the claim speaks of.)" if part else ""
        lines.append(f"- {_heading(name, title)}: of {len(ledger)} claims, {counted}.{partly}")
    return "\n".join(lines) + "\n"


def _summary(heading: str, ledger: Sequence[Entry], titles: Mapping[str, str]) -> str:
    """A table of verdicts: one row per claim, one column per evidence."""
    if not ledger:
        return ""
    places = [] if ledger[0].claim.ours else ["Where it stands"]
    rows = [
        [
            f"[{entry.claim.statement}](#{entry.claim.id})",
            *(entry.claim.where for _ in places),
            *map(_verdict, entry.outcomes.values()),
        ]
        for entry in ledger
    ]
    columns = (_heading(name, titles[name]) for name in ledger[0].outcomes)
    return f"{heading}\n\n" + _table(["Claim", *places, *columns], rows)


def _opposed(ledger: Sequence[Entry], titles: Mapping[str, str]) -> str:
    """Where a rung says the reverse of the paper's own numbers."""
    lines = []
    for entry in ledger:
        for name in entry.opposed:
            ours, printed = entry.outcomes[name], entry.outcomes[PAPER]
            lines.append(
                f"- [{entry.claim.statement}](#{entry.claim.id}) On {titles[name]} it **{ours.verdict}** "
                f"({_deciding(ours)}), by the {titles[PAPER]} it **{printed.verdict}** ({_deciding(printed)})."
            )
    if not lines:
        return ""
    return "## Where a rung says the reverse of the paper's own numbers\n\n" + "\n".join(lines) + "\n"


def _details(entry: Entry, titles: Mapping[str, str]) -> str:
    """What one claim needs, and the case that decides it, for each evidence."""
    claim = entry.claim
    rows = [
        [_heading(name, titles[name]), _verdict(found), *_case(found), _cases(found)]
        for name, found in entry.outcomes.items()
    ]
    header = ["Evidence", "Verdict", "Deciding case", "Effect", "Needed", "Numbers", "From", "Cases measured"]
    remarks = [
        f"{_heading(name, titles[name])}: {remark}\n"
        for name, remark in claim.remarks.items()
        if name in entry.outcomes and entry.outcomes[name].measured
    ]
    return "\n".join(
        [
            f'### <a id="{claim.id}"></a>{claim.statement}\n',
            *([] if claim.ours else [f"*Stands in:* {claim.where}.\n"]),
            f"*Would have to be seen:* {claim.needed}\n",
            _table(header, rows),
            *remarks,
            *_every_case(entry, titles),
        ]
    )


def _every_case(entry: Entry, titles: Mapping[str, str]) -> list[str]:
    """All measured cases, folded away, if some evidence has more than the one that decides."""
    if all(len(found.measured) < 2 for found in entry.outcomes.values()):
        return []
    rows = [
        [_heading(name, titles[name]), case.name, case.verdict, case.shown, case.needed, case.effect.detail]
        for name, found in entry.outcomes.items()
        for case in found.measured
        if case.effect is not None
    ]
    table = _table(["Evidence", "Case", "Verdict", "Effect", "Needed", "Numbers"], rows)
    return [f"<details><summary>Every case that was measured</summary>\n\n{table}\n</details>\n"]


def _case(found: Outcome) -> list[str]:
    if found.worst is None or found.worst.effect is None:
        return [""] * 5
    effect = found.worst.effect
    return [found.worst.name, found.worst.shown, found.worst.needed, effect.detail, ", ".join(effect.sources)]


def _cases(found: Outcome) -> str:
    return f"{len(found.measured)} of {found.cases}" if found.measured else "none"


def _deciding(found: Outcome) -> str:
    return "" if found.worst is None else f"{found.worst.name}: {found.worst.shown}"


def _verdict(found: Outcome) -> str:
    """The verdict, and, if cases are missing, how many it rests on."""
    if found.verdict == "not measured":
        return found.verdict
    return f"**{found.verdict}**" + (f" ({len(found.measured)} of {found.cases})" if found.missing else "")


def _heading(name: str, title: str) -> str:
    return title[0].upper() + title[1:] if name == PAPER else title


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_lines([header, [":---"] * len(header), *rows])
