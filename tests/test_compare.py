"""Two results folders held against each other: what rounding explains, what not, and what cannot be compared."""

import errno
import math
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from test_records import RECORD

from position_interpolation.compare import __main__ as entry
from position_interpolation.compare import page
from position_interpolation.compare.differences import compare
from position_interpolation.compare.tolerances import most_turned
from position_interpolation.evidence.records import Record, read, write
from position_interpolation.machine import files
from position_interpolation.settings.errors import UsageError

HOME = Path(__file__).resolve().parents[1]
PERPLEXITY = replace(RECORD, dtype="bfloat16", value=20.0, ci_low=18.0, ci_high=22.0)
RATE = replace(
    PERPLEXITY, task="passkey", protocol="key", metric="success", at=64, value=0.6, ci_low=0.31, ci_high=0.83,
    n_documents=10, data={"name": "passkey", "source": "generated", "sha256": "ef" * 32, "ids": None},
)  # fmt: skip
RATES = [RATE, replace(RATE, at=128), replace(RATE, at=None, n_documents=20, ci_low=0.39, ci_high=0.78)]
LONGEST = replace(RATES[2], metric="k_max", value=128.0, ci_low=64.0, ci_high=128.0)
SUMMARY = replace(PERPLEXITY, task="govreport", metric="rouge1", value=18.0, ci_low=15.0, ci_high=21.0)
THEORY = replace(
    PERPLEXITY, task="theory", metric="smallest_ratio", value=1.1, ci_low=None, ci_high=None,
    dtype="float32 and float64",
)  # fmt: skip
FIT = replace(THEORY, metric="normal_float64_outside_median")
BLOCK = replace(PERPLEXITY, task="positions", metric="block_perplexity", at=512)
STEP = replace(PERPLEXITY, task="tuning", metric="training_loss", at=4, value=3.0, ci_low=None, ci_high=None)


def why(ours: Record, theirs: Record) -> str:
    """Of one number, measured twice."""
    (pair,) = compare([ours], [theirs]).pairs
    return pair.beyond


@pytest.mark.parametrize(
    ("published", "values", "explained"),
    [
        (PERPLEXITY, {"value": 20.06}, True),
        (PERPLEXITY, {"value": 20.2}, False),
        (PERPLEXITY, {"ci_high": 22.5}, False),
        (PERPLEXITY, {"ci_high": None}, False),
        (replace(PERPLEXITY, metric="document_loss", value=3.0), {"value": 3.015}, True),
        (replace(PERPLEXITY, metric="document_loss", value=3.0), {"value": 3.1}, False),
        (replace(BLOCK, ci_high=None), {"value": 20.3}, True),
        (replace(BLOCK, ci_high=None), {"value": 20.5}, False),
        (BLOCK, {"ci_high": 22.3}, True),
        (BLOCK, {"ci_high": 22.6}, False),
        (STEP, {"value": 3.06}, True),
        (STEP, {"value": 3.11}, False),
        (RATE, {"value": 0.5, "ci_low": 0.24, "ci_high": 0.76}, True),
        (RATE, {"value": 1.0, "ci_low": 0.72, "ci_high": 1.0}, False),
        (RATE, {"ci_low": 0.5}, False),
        (LONGEST, {"value": 96.0, "ci_low": 64.0, "ci_high": 96.0}, True),
        (LONGEST, {"value": 32.0, "ci_low": 32.0, "ci_high": 48.0}, False),
        (SUMMARY, {"value": 20.0, "ci_low": 16.0, "ci_high": 24.0}, True),
        (SUMMARY, {"value": 30.0, "ci_low": 26.0, "ci_high": 34.0}, False),
        (THEORY, {"value": 1.1 * (1 + 1e-9)}, True),
        (THEORY, {"value": 1.1 * (1 + 1e-5)}, False),
        (FIT, {"value": 3.3}, True),
        (FIT, {"value": 33.0}, False),
    ],
    ids=lambda value: value.metric if isinstance(value, Record) else str(value),
)
def test_what_rounding_explains(published: Record, values: dict[str, Any], explained: bool) -> None:
    assert (why(replace(published, **values), published) == "") is explained
    assert why(published, published) == ""


def test_the_coarser_dtype_decides() -> None:
    full = replace(PERPLEXITY, dtype="float32")
    moved = replace(full, value=20.08)
    assert why(moved, full) == "by more than 0.05 %"
    assert why(moved, PERPLEXITY) == ""
    with pytest.raises(UsageError, match="no tolerance for dtype 'float8'"):
        why(replace(full, dtype="float8"), full)


def test_answers_turn_as_often_as_the_tolerance_says() -> None:
    assert [most_turned(answers, 0.02) for answers in (1, 10, 320)] == [1, 2, 15]
    assert most_turned(10, 0.0) == 0


def test_other_questions_are_held_to_their_intervals() -> None:
    other = replace(RATE, data={**RATE.data, "sha256": "01" * 32})
    assert why(replace(other, value=1.0, ci_low=0.72, ci_high=1.0), RATE) == ""
    assert why(replace(other, value=0.0, ci_low=0.0, ci_high=0.28), RATE) == "the intervals do not meet"


def test_shares_of_nobody_knows_how_many_answers_have_to_be_the_same() -> None:
    unknown = replace(RATE, n_documents=None, ci_low=None, ci_high=None)
    assert why(replace(unknown, value=0.5), unknown) == "and neither a count of answers nor an interval allows for it"
    assert why(unknown, unknown) == ""


def test_a_perplexity_is_that_of_the_losses_of_its_documents() -> None:
    """By hand: 100 tokens at 2 nats and 300 at 3 are 2.75. A loss that changes alone is found, within rounding too."""
    losses = [
        replace(
            PERPLEXITY,
            metric="document_loss",
            at=None,
            value=value,
            n_tokens=tokens,
            n_documents=1,
            data={**PERPLEXITY.data, "ids": [name]},
        )
        for name, value, tokens in (("a", 2.0, 100), ("b", 3.0, 300))
    ]
    whole = replace(PERPLEXITY, value=math.exp(2.75), n_documents=2, data={**PERPLEXITY.data, "ids": ["a", "b"]})
    assert not compare([whole, *losses], [whole, *losses]).outside
    altered = [losses[0], replace(losses[1], value=3.001)]
    (pair,) = compare([whole, *altered], [whole, *losses]).outside
    assert pair.beyond == "one side's is not what the losses of its documents give"
    moved = replace(whole, value=math.exp((100 * 2.0 + 300 * 3.001) / 400))
    assert not compare([moved, *altered], [whole, *losses]).outside


def test_one_text_has_one_number_of_documents() -> None:
    assert why(replace(PERPLEXITY, n_documents=99), replace(PERPLEXITY, n_documents=22)).startswith("of 99 documents")


@pytest.mark.parametrize("falsified", range(3))
def test_a_rate_moves_as_those_that_it_sums_up(falsified: int) -> None:
    """A single distance may turn by chance, and so may the whole; but not one without the other."""
    published = [replace(rate, value=0.7) if place == falsified else rate for place, rate in enumerate(RATES)]
    (pair,) = compare(RATES, published).outside
    assert (pair.theirs.at, pair.beyond) == (None, "what it sums up differs by another amount")


def test_k_max_moves_only_with_a_rate_behind_it() -> None:
    moved = replace(LONGEST, value=64.0)
    (pair,) = compare([*RATES, LONGEST], [*RATES, moved]).outside
    assert pair.beyond == "nothing that it is computed from differs"
    turned = [replace(RATE, value=0.7), RATES[1], replace(RATES[2], value=0.65)]
    assert not compare([*turned, LONGEST], [*RATES, moved]).outside


def test_rows_are_joined_seed_by_seed() -> None:
    seeds = [replace(PERPLEXITY, seed=seed, value=20.0 + seed) for seed in range(3)]
    assert not compare(seeds, seeds[::-1]).outside


def test_answers_of_another_seed_to_the_same_questions_are_held_to_their_intervals() -> None:
    accuracy = replace(
        PERPLEXITY, metric="accuracy", protocol=None, value=0.5, ci_low=0.47, ci_high=0.53, n_documents=1000
    )
    assert (
        why(replace(accuracy, value=0.45, ci_low=0.42, ci_high=0.48), accuracy)
        == "50 of 1000 answers turned, more than 35"
    )
    assert why(replace(accuracy, seed=7, value=0.45, ci_low=0.42, ci_high=0.48), accuracy) == ""
    assert why(replace(accuracy, seed=7, value=0.4, ci_low=0.37, ci_high=0.43), accuracy) == "the intervals do not meet"


def test_another_seed_is_held_to_the_spread_of_seeds() -> None:
    step = replace(PERPLEXITY, metric="training_loss", at=10, value=3.0)
    again = [replace(row, seed=7, value=1.03 * row.value, ci_low=None, ci_high=None) for row in (PERPLEXITY, step)]
    comparison = compare(again, [replace(PERPLEXITY, ci_low=None, ci_high=None), step])
    assert [(pair.theirs.metric, pair.beyond) for pair in comparison.pairs] == [("perplexity", "")]
    assert "1 value under different seeds" in page.remarks(comparison, "ours", "theirs")[0]


def test_rows_of_one_side_are_counted_and_named() -> None:
    more = [replace(PERPLEXITY, experiment="table2", eval_window=window) for window in (256, 512)]
    comparison = compare([PERPLEXITY], [PERPLEXITY, *more])
    assert (comparison.only_ours, comparison.only_theirs) == (Counter(), Counter({"table2/tiny": 2}))
    assert comparison.agrees
    assert page.remarks(comparison, "a", "b") == ["Only in b: 2 rows, not compared: table2/tiny 2."]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rung": "smollm2"}, "rung tiny against smollm2"),
        ({"model": "smollm2_135m"}, "model tiny against smollm2_135m"),
        ({"experiment": "quickstart"}, "experiment table1_pg19 against quickstart"),
        ({"data": {**RECORD.data, "source": "hub"}}, r"text pg19 \(local, cdcdcdcd\) against pg19 \(hub, cdcdcdcd\)"),
        ({"steps": 100}, "expected two runs of one experiment on the same model and text"),
    ],
)
def test_folders_that_share_no_number_are_refused_with_what_sets_them_apart(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        compare([PERPLEXITY], [replace(PERPLEXITY, **values)])


def test_a_model_of_the_same_name_with_other_weights_is_not_compared() -> None:
    ours, theirs = ([replace(PERPLEXITY, steps=0, weights_sha256=f"{name}" * 64), PERPLEXITY] for name in "ab")
    with pytest.raises(UsageError, match=r"tiny has other weights \(aaaaaaaa against bbbbbbbb\)"):
        compare(ours, theirs)
    comparison = compare([*ours, replace(THEORY, model="none")], [*theirs, replace(THEORY, model="none")])
    assert [pair.theirs.task for pair in comparison.pairs] == ["theory"]
    assert page.remarks(comparison, "ours", "theirs")[0].startswith("model tiny has other weights")


def falsified(published: Path, place: Path, what: Callable[[Record], bool], factor: float) -> Path:
    """A copy of one published folder in which one number was changed by hand."""
    copy = place / published.parent.name / published.name
    copy.mkdir(parents=True)
    rows = read(published / "rows.jsonl")
    changed = next(row for row in rows if what(row))
    write(copy / "rows.jsonl", [replace(row, value=factor * row.value) if row is changed else row for row in rows])
    return place


def shown(ours: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    agrees = entry.main(ours, theirs, Console(width=page.WIDTH))
    return agrees, capsys.readouterr().out


def test_a_published_number_that_was_falsified_is_found_and_so_is_the_claim_that_it_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = HOME / "results" / "theory"
    theirs = falsified(
        ours / "tiny", tmp_path / "theirs", lambda row: row.metric == "smallest_ratio" and row.eval_window is None, 0.5
    )
    agrees, text = shown(shutil.copytree(ours, tmp_path / "ours" / "theory").parent, theirs, capsys)
    assert not agrees
    assert "Differs: 1 of 65 values beyond rounding, 1 of 11 claims otherwise." in text
    assert max(map(len, text.split("Every difference")[0].splitlines())) <= page.WIDTH
    written = (tmp_path / "ours" / entry.PAGE).read_text()
    assert "| smallest_ratio | theory/tiny | 1.11591 | 0.557954 | 100 % | by more than 0.0001 % |" in written
    assert "theirs: does not hold" in written


@pytest.mark.parametrize(
    "what",
    [
        lambda row: (row.metric, row.method, row.eval_window, row.protocol) == ("perplexity", "pi", 1024, "token"),
        lambda row: (row.metric, row.at, row.steps) == ("success", 64, 100),
        lambda row: (row.metric, row.at, row.steps) == ("success", None, 100),
        lambda row: (row.metric, row.steps) == ("k_max", 100),
    ],
    ids=["perplexity", "one distance", "all distances", "k_max"],
)
def test_each_kind_of_the_quick_start_is_watched(what: Callable[[Record], bool], tmp_path: Path) -> None:
    published = HOME / "results" / "quickstart" / "tiny"
    theirs = falsified(published, tmp_path, what, 0.999)
    assert len(compare(read(published / "rows.jsonl"), entry.records(theirs)).outside) == 1


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "position_interpolation.compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def folder_with(place: Path, text: str) -> Path:
    files.write_text(place / "quickstart" / "tiny" / "rows.jsonl", text)
    return place


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda place: place / "nowhere", "does not exist: expected a results folder"),
        (lambda place: place.mkdir() or place, "has no records: expected a results folder"),
        (lambda place: [place.touch(), place][-1], "is a file: expected a results folder"),
        (lambda place: folder_with(place, '{"metric": "success_at_64", "value": 1.0}\n'), "an older version"),
    ],
    ids=["missing", "empty", "file", "older format"],
)
def test_bad_input_is_one_clear_line(make: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        entry.main(HOME / "results" / "theory", make(tmp_path / "other"))
    assert "\n" not in str(refused.value)


def test_the_exit_status_says_how_it_came_out(tmp_path: Path) -> None:
    ours = shutil.copytree(HOME / "results" / "theory", tmp_path / "ours" / "theory").parent
    theirs = falsified(ours / "theory" / "tiny", tmp_path / "theirs", lambda row: row.metric == "ratio_at_zero", 0.9)
    assert run(ours, ours).returncode == 0
    assert run(ours, theirs).returncode == 1
    refused = run(ours)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_a_full_disk_loses_the_page_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        shown(HOME / "results" / "theory", HOME / "results" / "theory", capsys)
    assert "Agrees: none of 65 values beyond rounding" in capsys.readouterr().out
