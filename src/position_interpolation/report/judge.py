"""One judge: every claim is held once against the paper's own numbers and against all records of each rung.

The ledger shows every verdict, and a page those that rest on its own records. So no two pages can differ on a claim.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from position_interpolation.comparisons.base_tokens import claims as base_tokens
from position_interpolation.comparisons.steps import claims as steps
from position_interpolation.comparisons.sweeps import claims as sweeps
from position_interpolation.evidence import paper
from position_interpolation.evidence.evidence import EXPERIMENTS, Evidence
from position_interpolation.evidence.judging import Case, Claim, Outcome, Verdict, claims, outcome
from position_interpolation.evidence.records import Record
from position_interpolation.report import folders
from position_interpolation.tasks.registry import modules
from position_interpolation.tasks.theory import claims as theory

PAPER = paper.RUNG
# Each verdict as the predicate of a sentence about one claim, and about several; in the order of the ledger's counts.
SAID: dict[Verdict, tuple[str, str]] = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    "no difference": ("shows no difference", "show no difference"),
    "within noise": ("is within noise", "are within noise"),
    "not measured": ("is not measured", "are not measured"),
}
COMPARISONS: dict[str, ModuleType] = {"steps": steps, "sweeps": sweeps, "base_tokens": base_tokens}


@dataclass(frozen=True)
class Entry:
    """One claim, and what each evidence says about it: each rung and, unless the claim is ours, the paper."""

    claim: Claim
    outcomes: dict[str, Outcome]


@dataclass(frozen=True)
class Seen:
    """A claim on the page of an experiment: the verdict of the rung, and the cases that rest on the page's records."""

    claim: Claim
    outcome: Outcome
    printed: Outcome | None
    here: Outcome

    @property
    def numbers(self) -> str:
        """The weakest case here; the one that decides, if another experiment's is worse; and what the paper prints."""
        shown, decides = self.here.worst, self.outcome.worst
        if shown is None or shown.effect is None or decides is None or decides.effect is None:
            return ""
        more = f", the weakest of {self.here.cases} cases here" if self.here.cases > 1 else ""
        detail = f" ({shown.effect.detail})" if shown.effect.detail else ""
        told = [f"{shown.name}: {shown.shown}, needed {shown.needed}{detail}{more}."]
        if decides.verdict != shown.verdict:
            told.append(f"{', '.join(decides.effect.sources)} decides: it {_sentence(decides)}.")
        if self.printed is not None and self.printed.worst is not None:
            told.append(f"By the paper's own numbers it {_sentence(self.printed.worst)}.")
        return " ".join(told)


@cache
def papers() -> Evidence:
    """The paper's tables, and its formulas with its own constants."""
    return Evidence([*paper.records(), *theory.formulas()], printed=True)


def judge(records: Mapping[str, Sequence[Record]]) -> list[Entry]:
    """Every claim against the paper and each rung, given all records by rung."""
    evidence = cache(lambda rung, experiments: Evidence(records[rung], experiments))
    entries = []
    for claim in claims():
        outcomes = {} if claim.ours else {PAPER: judged(claim, papers())}
        for rung in records:
            outcomes[rung] = judged(claim, evidence(rung, claim.experiments or EXPERIMENTS))
        entries.append(Entry(claim, outcomes))
    return entries


def judged(claim: Claim, evidence: Evidence) -> Outcome:
    """What one evidence says about one claim."""
    cases = list(check(claim)(evidence, **claim.given))
    # A blank cell of the paper's tables was never offered as evidence; what a rung lacks may still be measured.
    offered = [case for case in cases if case.effect is not None]
    return outcome(offered if evidence.printed and offered else cases)


def check(claim: Claim) -> Callable[..., Iterator[Case]]:
    """The function that claims.yaml names: `passkey.farther` stands in the claims of the task passkey."""
    module, _, name = claim.check.partition(".")
    found: Callable[..., Iterator[Case]] = getattr((COMPARISONS | modules("claims"))[module], name)
    return found


def beside(folder: Path) -> list[Entry]:
    """Every claim against the records of a results folder and of all others of its rung."""
    rows = folders.readable(folders.found(folder.parent.parent, folder.name), [])
    return judge({folder.name: [record for of_one in rows.values() for record in of_one]})


def on_page(records: Sequence[Record], entries: Sequence[Entry], rung: str) -> list[Seen]:
    """The claims whose evidence on a rung are, at least in part, the records of a page."""
    experiments, found = {record.experiment for record in records}, []
    for entry in entries:
        cases = entry.outcomes[rung].measured
        here = tuple(case for case in cases if case.effect and not experiments.isdisjoint(case.effect.sources))
        if here:
            found.append(Seen(entry.claim, entry.outcomes[rung], entry.outcomes.get(PAPER), Outcome(here, ())))
    return found


def _sentence(case: Case) -> str:
    """`holds (7B, pg19: the base at 8192 against 2048: 139 times)`."""
    return f"{SAID[case.verdict][0]} ({case.name}: {case.shown})"
