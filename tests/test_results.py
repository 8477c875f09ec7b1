"""The committed results: no number without its record, and a record's number comes out again."""

import csv
import hashlib
import json
import math
import re
import shutil
from pathlib import Path

import pytest

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.display import formats
from position_interpolation.evidence.extensions import LABELS
from position_interpolation.evidence.records import Record, read
from position_interpolation.evidence.seeds import pooled
from position_interpolation.machine import compute
from position_interpolation.report import pages
from position_interpolation.report.sections import sections
from position_interpolation.settings.schema import Compute

HOME = Path(__file__).resolve().parents[1]
OWN = "single"  # runs of whoever works here; they are not committed
FOLDERS = sorted(path.parent for path in HOME.glob("results/*/*/rows.jsonl") if path.parts[-3] != OWN)


def named(folder: Path) -> str:
    return f"{folder.parent.name}-{folder.name}"


# Columns that hold the paper's numbers, a setting, or what is reckoned from several records.
NOT_RECORDED = ("paper", "Learning rate", "Change", "k_max / ", "at L / ", "at L' / ", "inside L", "past L")


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_every_number_of_every_table_has_its_record(folder: Path) -> None:
    """Windows, steps and counts apart, which are whole; rows that quote the paper's models too."""
    records = read(folder / "rows.jsonl")
    records += pooled(records)  # a row of several seeds is their mean
    known = {value for record in records for value in (record.value, record.ci_low, record.ci_high)}
    known |= {value for record in records for value in (record.settings or {}).values() if isinstance(value, float)}
    for path in folder.glob("*.csv"):
        rows = [row for row in csv.DictReader(path.open()) if not row.get("Model", "").startswith("paper:")]
        fields = {name: text for row in rows for name, text in row.items() if not name.startswith(NOT_RECORDED)}
        assert fields, path
        for row in rows:
            for name in fields:
                if re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", row[name]):
                    assert float(row[name]) in known, f"{path.name}: {name} of {row}"


@pytest.mark.parametrize("table", ["rivals/smollm2/rivals", "rivals_tuned/smollm2/rivals", "bands/smollm2/settings"])
def test_perplexity_inside_and_past_the_window_is_that_of_the_documents_losses(table: str) -> None:
    path = HOME / "results" / f"{table}.csv"
    losses = [record for record in read(path.parent / "rows.jsonl") if record.metric == "document_block_loss"]

    def shown(record: Record) -> dict[str, str]:
        known = {"method": LABELS[record.method or ""], "steps": record.steps, **(record.settings or {})}
        cells = {key: "" if value is None else str(value) for key, value in known.items()}
        return {key.rpartition(".")[2].replace("_", " ").capitalize(): cell for key, cell in cells.items()}

    for row in csv.DictReader(path.open()):
        own = [one for one in losses if shown(one).items() <= row.items()]
        assert own, row
        for name, part in (("inside L", range(8192)), ("past L", range(8192, 16384))):
            pairs = [(one.value, one.n_tokens) for one in own if one.at in part]
            mean = sum(loss * (tokens or 0) for loss, tokens in pairs) / sum(tokens or 0 for _, tokens in pairs)
            assert float(row[name]) == pytest.approx(math.exp(mean)), row


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_the_committed_tables_are_those_of_the_records(folder: Path, tmp_path: Path) -> None:
    """Tables are written from records alone, so rendering again changes nothing."""
    for section in sections(read(folder / "rows.jsonl")):
        for path in formats.save(section.table, tmp_path / folder.parent.name / folder.name / section.stem):
            assert (folder / path.name).read_text() == path.read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_the_command_of_a_page_measures_its_model_on_its_text(folder: Path) -> None:
    records = read(folder / "rows.jsonl")
    found = re.findall(r"position_interpolation (experiment=.*?) *#", (folder / "README.md").read_text())
    launch.register()
    commands = [launch.jobs(one.replace("<folder>", "any").replace("<tokens>", "1").split())[0] for one in found]
    configs = [launch.typed(launch.composed(overrides)) for overrides in commands]
    models = {record.model for record in records}
    assert models <= {config.model.name for config in configs}
    texts = {record.data["source"] for record in records} & {"local", "embedded"}
    assert texts <= {config.data.source for config in configs}


def test_the_committed_pages_overview_and_ledger_are_those_of_the_records(tmp_path: Path) -> None:
    copy = shutil.copytree(HOME / "results", tmp_path / "results", ignore=shutil.ignore_patterns(OWN))
    pages.render_index(copy)
    for path in (HOME / "results").glob("**/*.md"):
        name = path.relative_to(HOME / "results")
        if name.parts[0] == OWN:
            continue
        assert (copy / name).read_text() == path.read_text(), name


def verdicts_of_the_ledger() -> dict[tuple[str, str], str]:
    """Verdicts by claim and rung, as results/claims.md shows them at a glance."""
    found: dict[tuple[str, str], list[str]] = {}
    columns: list[str] = []
    for line in (HOME / "results" / pages.LEDGER).read_text().splitlines():
        cells = line.strip("| ").split(" | ")
        if cells[0] == "Claim":
            columns = cells
        elif claim := re.fullmatch(r"\[.*\]\(#(\w+)\)", cells[0]):
            found |= {(claim[1], rung): cell.split("**")[1::2] for rung, cell in zip(columns, cells, strict=True)}
    return {key: verdict[0] for key, verdict in found.items() if verdict and key[1] != "Paper's own numbers"}


def test_no_page_differs_from_the_ledger_on_a_claim() -> None:
    ledger, shown = verdicts_of_the_ledger(), set()
    for folder in FOLDERS:
        for page in (folder / "README.md", HOME / "results" / "README.md"):
            rung = folder.name
            for line in page.read_text().splitlines():
                if heading := re.fullmatch(r"## .* on (\w+)", line):
                    rung = heading[1]
                if bullet := re.match(r"- \*\*(.*?)\*\* · \[.*?\]\(\S*claims\.md#(\w+)\)", line):
                    assert ledger[bullet[2], rung] == bullet[1], f"{page}: {line}"
                    shown.add((bullet[2], rung))
    assert shown == ledger.keys(), "every verdict is on the page of its evidence"


# Of every number that was measured before records had the fields at, settings and base_tokens, computed before rows got
# them. An experiment that is measured again has other numbers: its line goes.
DIGESTS = {
    "heads/smollm2": "52449df59d133a71",
    "positions/smollm2": "bf26aeed2e466e0e",
    "smollm2_extend/smollm2": "d9569faaeb3c9645",
    "table1_pg19/smollm2": "c43f9b4ee88c7645",
    "table5_benchmarks/smollm2": "ff8d46764fb8040c",
    "theory/tiny": "25b3ed079f5822cf",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_no_number_changed_when_names_became_fields(name: str) -> None:
    """Passkey's rows apart: they were migrated on their own. Embedded text came later."""
    found = read(HOME / "results" / name / "rows.jsonl")
    rows = [row for row in found if row.task != "passkey" and row.data.get("source") != "embedded"]
    numbers = [[row.value, row.ci_low, row.ci_high, row.n_tokens, row.signature] for row in rows]
    text = "\n".join(sorted(map(json.dumps, numbers)))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DIGESTS[name]


def test_a_cell_measured_again_is_the_same_number(tmp_path: Path) -> None:
    """The quick start's first cell: the same command leads to the same signature, and that to the same number."""

    def cell(records: list[Record]) -> Record:
        return next(
            record
            for record in records
            if (record.method, record.metric, record.eval_window, record.protocol)
            == ("none", "perplexity", 256, "token")
        )

    committed = cell(read(HOME / "results/quickstart/tiny/rows.jsonl"))
    if committed.dtype != compute.dtype(Compute()):
        pytest.skip(f"measured in {committed.dtype}, which this machine does not multiply fast")
    launch.register()
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    asked = ["extension=none", "task=pg19_short", "task.window_factors=[1]", "wandb=disabled", *places]
    run(launch.typed(launch.composed(asked)))
    again = cell(read(tmp_path / "results/single/tiny/rows.jsonl"))
    assert again.signature == committed.signature
    assert again.value == pytest.approx(committed.value, rel=1e-6)
