"""Pairs of report and summary: whole ones, split by id, or one line that says what is wrong."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from position_interpolation.app import launch
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.tasks.govreport import pairs
from position_interpolation.tasks.govreport.pairs import Pair, Pairs
from position_interpolation.text.corpora import in_test_part


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"r{number}", "report": f"Report {number}.", "summary": f"Summary {number}."} | changes


def write(folder: Path, rows: list[dict[str, Any]]) -> Data:
    with gzip.open(folder / "reports.jsonl.gz", "wt") as lines:
        lines.writelines(json.dumps(item) + "\n" for item in rows)
    parts = {part: Corpus(files=["reports.jsonl.gz"], part=part) for part in ("all", "train", "test")}
    return Data(source="local", root=str(folder), corpora=parts)


def test_a_pair_is_an_id_a_report_and_its_summary(tmp_path: Path) -> None:
    found = pairs.load(write(tmp_path, [row(1), row(2)]), "all")
    assert found.items == (Pair("r1", "Report 1.", "Summary 1."), Pair("r2", "Report 2.", "Summary 2."))
    assert (found.name, found.source) == ("all", "local")


def test_reports_that_are_not_whole_are_left_out(tmp_path: Path) -> None:
    rows = [row(1, kept_fraction=0.96), row(2, kept_fraction=0.959), row(3, kept_fraction=1), row(4)]
    assert [pair.id for pair in pairs.load(write(tmp_path, rows), "all").items] == ["r1", "r3", "r4"]


def test_the_split_is_by_hash_of_the_id(tmp_path: Path) -> None:
    data = write(tmp_path, [row(number) for number in range(30)])
    train, test = (pairs.load(data, part).items for part in ("train", "test"))
    assert all(in_test_part(pair.id) for pair in test)
    assert not any(in_test_part(pair.id) for pair in train)
    assert len(train) + len(test) == 30
    assert [pair.id for pair in pairs.load(data, "train", ids=[train[3].id, train[0].id]).items] == [
        train[3].id,
        train[0].id,
    ]
    assert pairs.load(data, "test", limit=2).items == test[:2]


def test_the_fingerprint_sees_the_summary(tmp_path: Path) -> None:
    def fingerprint(*pair: str) -> str:
        return Pairs("name", "local", (Pair(*pair),)).sha256

    assert len({fingerprint("a", "b", "c"), fingerprint("a", "b", "d"), fingerprint("a", "e", "c")}) == 3


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (row(2, report=None), "field 'report' is no text (None): expected text"),
        (row(2, summary=["a"]), "field 'summary' is no text (['a']): expected text"),
        (row(2, summary=" "), "pair r2 of corpus 'all' has no report or no summary"),
        (row(2, kept_fraction="most"), "kept_fraction='most': expected a share of 1"),
        ({"id": "r2", "report": "A report."}, "has no field 'summary', but id, report: expected text in each row"),
        (row(1), "two documents of one id"),
    ],
)
def test_bad_rows_are_refused_in_one_line(bad: dict[str, Any], expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        pairs.load(write(tmp_path, [row(1), bad]), "all")
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "text_field" not in str(refused.value), "it names another field than these"


def test_the_hub_has_the_official_splits_in_plain_files() -> None:
    """The hub's rows have no id: they are numbered inside their split, so the two parts share none."""
    launch.register()
    data = launch.typed(launch.composed(["data=hub"])).data
    scored, tuned = data.corpora["govreport"], data.corpora["govreport_train"]
    assert (scored.dataset, scored.subset, scored.split) == (
        "ccdv/govreport-summarization",
        "document",
        "test",
    )
    assert (tuned.dataset, tuned.subset, tuned.split) == ("ccdv/govreport-summarization", "document", "train")


def test_rows_of_a_data_set_become_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's library reads local files the same way."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"report": f"R{n}.", "summary": f"S{n}."}) + "\n" for n in range(3)))
    data = Data(source="hub", corpora={"govreport": Corpus(dataset="json", files=[str(path)])})
    assert pairs.load(data, "govreport", limit=2).items == (
        Pair("train-0", "R0.", "S0."),
        Pair("train-1", "R1.", "S1."),
    )
