"""The page of a results folder, and the page over all of them. No model runs: every number is in rows.jsonl."""

import sys
from collections.abc import Sequence
from pathlib import Path

from position_interpolation.display import drawing, formats
from position_interpolation.display.section import Section
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import ROWS, Record, read
from position_interpolation.machine import files
from position_interpolation.report import folders, judge, ledger, provenance
from position_interpolation.report.judge import Seen
from position_interpolation.report.sections import sections, trial
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import CONF, EXPERIMENTS
from position_interpolation.text.corpora import FILES

UNNAMED = "single"  # runs outside any experiment: they have a page, but no place on the overview
FIRST = "quickstart"
LEDGER = "claims.md"
INTRODUCTION = f"""\
# Results

Ours beside the paper's: [Position Interpolation](https://arxiv.org/abs/2306.15595) (arXiv:2306.15595v2). \
Each number is a line of a `rows.jsonl`, or a mean over lines that differ in their seed; \
`python -m position_interpolation task=report experiment_name=<name>` renders a page from it. \
What the numbers say about each claim of the paper: [the ledger of claims]({LEDGER}). \
Verdicts here are the ledger's, over all experiments of a rung; \
behind each stands the weakest case of the experiment itself.
"""
EMPTY = "Nothing yet: run `python -m position_interpolation experiment=quickstart`.\n"
NOTE = """\
A claim is listed here if records of this page are part of its evidence, with the verdict that it has on the ledger,
over all experiments of this rung. Behind it stands the weakest case that rests on this page's records; if one of
another experiment comes out worse, that decides, and follows. A case holds, or does not, only if its whole 95 %
interval lies on one side of what is needed. No difference: it lies on both sides, within 1 % of it; within noise: too
little was measured to tell.
"""


def render(folder: Path) -> list[Path]:
    """Write every table, figure and the page that the rows of a results folder allow; the page is returned last.

    Raises:
        UsageError: the folder has no records.
    """
    written, place = save(folder), folder / "README.md"
    records = read(folder / ROWS)
    files.write_text(place, page(records, sections(records), judge.on_page(records, judge.beside(folder), folder.name)))
    return [*written, place]


def save(folder: Path) -> list[Path]:
    """Write every table and figure of a results folder.

    Raises:
        UsageError: the folder has no records.
    """
    records = read(folder / ROWS)
    if not records:
        raise UsageError(f"{folder / ROWS} holds no records: run the experiment first")
    written: list[Path] = []
    for section in sections(records):
        written += formats.save(section.table, folder / section.stem)
        for stem, draw in section.drawings:
            written += drawing.save(draw(), folder / stem)
    return written


def render_index(results: Path) -> Path:
    """Write results/README.md: each experiment's first table and figure, what holds, where to read on.

    The ledger of claims and the page of every folder are written, too, because the records of one experiment may decide
    what the page of another says. A damaged folder is left out and named on the terminal.
    """
    faults: list[str] = []
    named = (folder for folder in folders.found(results) if folder.parent.name != UNNAMED)
    records = folders.readable(sorted(named, key=_place), faults)
    rungs: dict[str, list[Record]] = {}
    for folder, rows in records.items():
        rungs.setdefault(folder.name, []).extend(rows)
    judged = judge.judge(rungs)
    contents, entries = [], []
    for folder, rows in records.items():
        with folders.named(folder, faults):
            found = judge.on_page(rows, judged, folder.name)
            if shown := sections(rows):
                relative = folder.relative_to(results).as_posix()
                entries.append(_entry(folder, relative, rows, shown[0], found))
                contents.append(f"[{title(rows)}]({relative}/README.md)")
                files.write_text(folder / "README.md", page(rows, shown, found))
    for fault in faults:
        print(f"note: left out of the pages: {fault}", file=sys.stderr)
    others = (path.parent.name for path in sorted(results.glob("benchmark*/README.md")))
    contents += [f"[{name}]({name}/README.md)" for name in others]
    listed = [" · ".join(contents) + "\n", *entries] if entries else [EMPTY]
    files.write_text(results / LEDGER, ledger.render(judged))
    place = results / "README.md"
    files.write_text(place, "\n".join([INTRODUCTION, *listed]))
    return place


def _place(folder: Path) -> tuple[int, str]:
    """Sorts the quick start first, then the paper's tables, its theory, and what goes beyond."""
    name = folder.parent.name
    order = [name.startswith(FIRST), name.startswith("table"), name == "theory", True]
    return order.index(True), folder.as_posix()


def title(records: Sequence[Record]) -> str:
    """What a results folder is called."""
    return f"{records[0].experiment} on {records[0].rung}"


def page(records: Sequence[Record], shown: Sequence[Section], found: Sequence[Seen]) -> str:
    """The page of one results folder, with its tables and figures, and the claims that rest on its records."""
    text = [f"# {title(records)}\n", _command(records), "## What holds\n", _claims(records, found)]
    if not shown:
        text.append("No table shows these records: their task has no page, or none for settings that are compared.\n")
    text += [*map(_section, shown), "## Where the numbers come from\n"]
    text += [*provenance.sources(records), *provenance.conditions(records), f"\nEvery record: [{ROWS}]({ROWS}).\n"]
    if different := provenance.deviations(records):
        text += ["## What differs from the paper\n", *different, ""]
    return "\n".join(text)


def _command(records: Sequence[Record]) -> str:
    """The commands that measure these numbers, and that render this page again."""
    first = records[0]
    base = next((item.model for item in ordered(records)), None)
    own = base and not (CONF / "model" / f"{base}.yaml").is_file()
    rung = " model=path model.location=<folder>" if own else f" model={base}" if base else ""
    sources = dict.fromkeys(record.data.get("source") for record in records)
    texts = [f" data={source} data.root=<folder>" for source in sources if source in FILES]
    texts += [" data=embedded"] if texts and "embedded" in sources else []
    again = f"python -m position_interpolation task=report experiment_name={first.experiment}{rung}"
    if not (EXPERIMENTS / first.experiment / "sweep.yaml").is_file():
        return f"Runs outside any experiment.\n\n```bash\n{again}   # this page, from the records alone\n```\n"
    run = f"python -m position_interpolation experiment={first.experiment}{rung}"
    run += " model.base_tokens=<tokens>" if first.base_tokens is not None else ""
    runs = [run + text for text in texts or [""]]
    width = max(map(len, (*runs, again)))
    sweeps = "".join(f"{run:{width}}   # the whole sweep, then this page\n" for run in runs)
    guide = f"[experiments/{first.experiment}](../../../experiments/{first.experiment}/README.md)"
    return (
        f"```bash\n{sweeps}{again:{width}}   # this page, from the records alone\n```\n\n"
        f"How these rows were measured, command by command, and how to read them: {guide}.\n"
    )


def _claims(records: Sequence[Record], found: Sequence[Seen]) -> str:
    if trial(records):
        return "A trial of the path: its numbers mean nothing, and nothing is concluded from them.\n"
    if not found:
        return "None of the paper's claims rests on these records.\n"
    return "\n".join([*(_bullet(item, "../../") for item in found), "", NOTE])


def _bullet(item: Seen, results: str = "") -> str:
    statement = f"[{_markdown(item.claim.statement)}]({results}{LEDGER}#{item.claim.id})"
    return f"- **{item.outcome.verdict}** · {statement} {_markdown(item.numbers)}"


def _section(section: Section) -> str:
    text = [
        f"## {section.title}\n",
        *(f"[![{section.title}]({stem}.png)]({stem}.pdf)\n" for stem, _ in section.drawings),
    ]
    written = ", ".join(f"[{suffix}]({section.stem}.{suffix})" for suffix in ("csv", "md", "tex"))
    text += [formats.to_markdown(section.table), f"This table as {written}.\n"]
    for how, table in section.more:
        text += [f"<details><summary>The same, {how}</summary>\n\n{formats.to_markdown(table)}\n</details>\n"]
    return "\n".join(text)


def _entry(folder: Path, relative: str, records: Sequence[Record], section: Section, found: Sequence[Seen]) -> str:
    """One experiment on the overview."""
    stems = [stem for stem, _ in section.drawings if (folder / f"{stem}.png").is_file()]
    pictures = [f"[![{section.title}]({relative}/{stem}.png)]({relative}/README.md)\n" for stem in stems]
    listed = [] if trial(records) or not found else [*map(_bullet, found), ""]
    links = f"[The whole page]({relative}/README.md) · [every record]({relative}/{ROWS})\n"
    return "\n".join([f"## {title(records)}\n", *pictures, formats.to_markdown(section.table), *listed, links])


def _markdown(text: str) -> str:
    """A sentence whose characters are not mistaken for markup."""
    return text.replace("_", "\\_").replace("*", "\\*").replace(">", "\\>")
