"""The page of a results folder, and the page over all of them. No model runs: every number is in rows.jsonl."""

from collections.abc import Sequence
from pathlib import Path

from position_interpolation.display import drawing, formats
from position_interpolation.display.section import Section
from position_interpolation.evidence.extensions import ordered
from position_interpolation.evidence.records import ROWS, Record, read
from position_interpolation.evidence.verdicts import EXPLOSION, Finding
from position_interpolation.machine import files
from position_interpolation.report import ledger, provenance
from position_interpolation.report.parts import findings, sections, trial
from position_interpolation.settings.errors import UsageError

PAPER = "[Position Interpolation](https://arxiv.org/abs/2306.15595) (arXiv:2306.15595v2)"
UNNAMED = "single"  # runs outside any experiment: kept for their owner, left out of the overview
FIRST = "quickstart"
LEDGER = "claims.md"


def render(folder: Path) -> list[Path]:
    """Write every table, figure and the page that the rows of a results folder allow.

    Returns:
        What was written, the page last.

    Raises:
        UsageError: the folder has no records.
    """
    records = read(folder / ROWS)
    if not records:
        raise UsageError(f"{folder / ROWS} holds no records: run the experiment first")
    parts = sections(records)
    written: list[Path] = []
    for part in parts:
        written += formats.save(part.table, folder / part.stem)
        for stem, draw in part.drawings:
            written += drawing.save(draw(), folder / stem)
    place = folder / "README.md"
    files.write_text(place, page(records, parts))
    return [*written, place]


def render_index(results: Path) -> Path:
    """Write results/README.md: each experiment's first table and figure, the findings, where to read on.

    The ledger of claims is written beside it, from the same records.
    """
    folders = sorted(
        (path.parent for path in results.glob(f"*/*/{ROWS}") if path.parent.parent.name != UNNAMED), key=_place
    )
    parts = [
        f"# Results\n\nOurs beside the paper's: {PAPER}. Each number is a line of a `rows.jsonl`; "
        "`python -m position_interpolation task=report experiment_name=<name>` renders a page from it. What the "
        f"numbers say about each claim of the paper: [the ledger of claims]({LEDGER}).\n"
    ]
    rungs: dict[str, list[Record]] = {}
    contents, entries = [], []
    for folder in folders:
        records = read(folder / ROWS)
        rungs.setdefault(folder.name, []).extend(records)
        shown = sections(records)
        if shown:
            relative = folder.relative_to(results).as_posix()
            contents.append(f"[{title(records)}]({relative}/README.md)")
            entries.append(_entry(folder, relative, records, shown[0]))
    contents += [
        f"[{path.parent.name}]({path.parent.name}/README.md)" for path in sorted(results.glob("benchmark*/README.md"))
    ]
    parts += [" · ".join(contents) + "\n", *entries]
    if not entries:
        parts = [parts[0], "Nothing yet: run `python -m position_interpolation experiment=quickstart`.\n"]
    files.write_text(results / LEDGER, ledger.render(rungs))
    place = results / "README.md"
    files.write_text(place, "\n".join(parts))
    return place


def _place(folder: Path) -> tuple[int, str]:
    """The quick start first, then the paper's tables, its theory, and what goes beyond."""
    name = folder.parent.name
    order = [name.startswith(FIRST), name.startswith("table"), name == "theory", True]
    return order.index(True), folder.as_posix()


def title(records: Sequence[Record]) -> str:
    """What a results folder is called."""
    return f"{records[0].experiment} on {records[0].rung}"


def page(records: Sequence[Record], parts: Sequence[Section]) -> str:
    """The page of one results folder."""
    text = [
        f"# {title(records)}\n",
        _command(records),
        "## Findings\n\n" + _findings(records),
        *(_section(part) for part in parts),
        "## Where the numbers come from\n",
        "\n".join([*provenance.sources(records), *provenance.conditions(records)]) + "\n",
        f"Every record: [{ROWS}]({ROWS}).\n",
    ]
    different = provenance.deviations(records)
    if different:
        text += ["## What differs from the paper\n", "\n".join(different) + "\n"]
    return "\n".join(text)


def _command(records: Sequence[Record]) -> str:
    """How to measure and how to render again."""
    first = records[0]
    base = next((item.model for item in ordered(records)), None)
    rung = f" model={base}" if base else ""
    local = any(record.data.get("source") == "local" for record in records)
    again = f"python -m position_interpolation task=report experiment_name={first.experiment}{rung}"
    if first.experiment == UNNAMED:
        return f"Runs outside any experiment.\n\n```bash\n{again}   # this page, from the records alone\n```\n"
    run = f"python -m position_interpolation experiment={first.experiment}{rung}"
    run += " model.base_tokens=<tokens>" if first.base_tokens is not None else ""
    run += " data=local data.root=<folder>" if local else ""
    width = max(len(run), len(again))
    guide = f"[experiments/{first.experiment}](../../../experiments/{first.experiment}/README.md)"
    return (
        f"```bash\n{run:{width}}   # measure what is missing, then render\n"
        f"{again:{width}}   # this page, from the records alone\n```\n\n"
        f"Rows that are not of the experiment's own sweep, and what they were measured by: {guide}.\n"
    )


def _findings(records: Sequence[Record]) -> str:
    found = findings(records)
    if trial(records):
        return "A trial of the path: its numbers mean nothing, and nothing is concluded from them.\n"
    if not found:
        return "These records bear on none of the paper's claims.\n"
    note = (
        "A claim holds, or does not, only if the whole 95 % interval lies on one side of its limit: "
        f"{EXPLOSION:g} times for what explodes, no difference for what is better or loses nothing, all of L' for a "
        "whole window. Perplexities are compared on the same documents.\n"
    )
    return "\n".join([*map(_bullet, found), "", note])


def _bullet(finding: Finding) -> str:
    return f"- **{finding.verdict}** · {_markdown(finding.text)}"


def _section(part: Section) -> str:
    pictures = [f"[![{part.title}]({stem}.png)]({stem}.pdf)\n" for stem, _ in part.drawings]
    written = ", ".join(f"[{suffix}]({part.stem}.{suffix})" for suffix in ("csv", "md", "tex"))
    folded = [
        f"<details><summary>The same, {how}</summary>\n\n{formats.to_markdown(table)}\n</details>\n"
        for how, table in part.more
    ]
    body = [f"## {part.title}\n", *pictures, formats.to_markdown(part.table), f"This table as {written}.\n"]
    return "\n".join([*body, *folded])


def _entry(folder: Path, relative: str, records: Sequence[Record], part: Section) -> str:
    """One experiment on the overview."""
    pictures = [
        f"[![{part.title}]({relative}/{stem}.png)]({relative}/README.md)\n"
        for stem, _ in part.drawings
        if (folder / f"{stem}.png").is_file()
    ]
    verdicts = [_bullet(item) for item in findings(records) if item.verdict != "not measured"]
    listed = ["\n".join(verdicts) + "\n"] if verdicts else []
    links = f"[The whole page]({relative}/README.md) · [every record]({relative}/{ROWS})\n"
    return "\n".join([f"## {title(records)}\n", *pictures, formats.to_markdown(part.table), *listed, links])


def _markdown(text: str) -> str:
    """A sentence in which nothing is mistaken for markup."""
    return text.replace("_", "\\_").replace("*", "\\*").replace(">", "\\>")
