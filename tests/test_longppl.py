"""LongPPL: key tokens by hand, against plain forwards, and on a page; what cannot be judged is refused."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from test_report import BASE, PI, UNTUNED, column, record
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence.records import read
from position_interpolation.report.sections import sections
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Config
from position_interpolation.tasks.longppl.key_tokens import ALL, KEY, key, over
from position_interpolation.text import corpora
from position_interpolation.text.encoding import bos, encode
from position_interpolation.tuning.extension import Prepared, prepare


def test_key_is_what_the_long_context_tells_and_tells_clearly() -> None:
    short = np.array([5.0, 5.0, 2.5, 9.0, 1.0])
    long = np.array([1.0, 3.0, 1.0, 1.99, 1.5])  # gains 4, 2, 1.5, 7.01, -0.5
    assert key(long, short, alpha=2, beta=-2).tolist() == [True, False, False, True, False]
    assert key(long, short, alpha=1, beta=-5).tolist() == [True, True, True, True, False]
    assert not key(long, long, alpha=0, beta=-5).any()  # what both contexts tell alike is not key


def test_every_key_token_counts_alike_and_documents_without_any_give_no_interval_an_end() -> None:
    losses = [np.array([1.0, 2.0, 9.0]), np.array([3.0, 9.0]), np.array([9.0])]
    marks = [np.array([True, True, False]), np.array([True, False]), np.array([False])]
    found = over(losses, marks, samples=200)
    assert found.value == pytest.approx(math.exp((1 + 2 + 3) / 3))
    assert found == over(losses[:2], marks[:2], samples=200)
    assert over(losses[:1], marks[:1], samples=200).low is None


# Measured: L = 64, L' = 256

SHORT, BLOCK, TOKENS = 40, 16, 5 * 64
ALPHA, BETA = 0.01, -20.0  # random weights gain little from anything


def composed(folder: Path, *more: str) -> Config:
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    shared = [
        "model=smoke",
        "train=untuned",
        "context=x4",
        "data=embedded",
        "compute.dtype=float32",
        "compute.threads=1",
    ]
    (config,) = launch.checked([*shared, "wandb=disabled", *places, *more])
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("longppl")


@pytest.fixture(scope="module")
def judge(folder: Path) -> Path:
    """Other random weights under YaRN, as a folder that task=export wrote."""
    run(
        composed(
            folder, "seed=1", "method=yarn", "task=export", f"task.folder={folder / 'judge'}", "task.dtype=float32"
        )
    )
    return folder / "judge"


def asked(folder: Path, judge: Path, *more: str) -> Config:
    settings = {"documents": 2, "truncate_factor": 5, "short": SHORT, "block": BLOCK, "alpha": ALPHA, "beta": BETA}
    own = [f"task.{name}={value}" for name, value in settings.items()]
    return composed(folder, "method=pi", "task=longppl", *own, f"task.evaluator={judge}", *more)


def plainly(model: Any, first: int, ids: list[int], window: int) -> NDArray[np.float64]:
    """Losses of a document's tokens, each from the first window of so many positions, BOS among them, that has it."""
    found: list[float] = []
    for start in range(0, len(ids), BLOCK):
        tokens = torch.tensor([[first, *ids[start : start + window - 1]]])
        with torch.inference_mode():
            losses = cross_entropy(model(tokens).logits[0, :-1], tokens[0, 1:], reduction="none")
        found += losses[len(found) - start :].tolist()
        if len(found) == len(ids):
            break
    return np.array(found)


def test_numbers_are_those_of_plain_forwards(folder: Path, judge: Path) -> None:
    config = asked(folder, judge)
    run(config)
    rows = {row.metric: row for row in read(folder / "results" / "single" / "smoke" / "rows.jsonl")}
    prepared: Prepared = prepare(config, lambda _: None)
    evaluator, first = AutoModelForCausalLM.from_pretrained(judge), bos(prepared.tokenizer)
    assert first is not None
    losses, marks = [], []
    for item in corpora.load(config.data, "pg19", ids=rows[KEY].data["ids"]).items:
        ids = encode(prepared.tokenizer, item.text)[:TOKENS]
        long, short = (plainly(evaluator, first, ids, window) for window in (256, SHORT + BLOCK))
        losses.append(plainly(prepared.model, first, ids, 256))
        marks.append(key(long, short, ALPHA, BETA))
    assert rows[KEY].n_tokens == sum(int(each.sum()) for each in marks) > 20
    assert rows[KEY].value == pytest.approx(over(losses, marks, 0).value, rel=1e-4)
    assert rows[ALL].value == pytest.approx(np.exp(np.concatenate(losses).mean()), rel=1e-4)
    assert (rows[ALL].n_tokens, rows[ALL].eval_window) == (2 * TOKENS, 256)
    assert rows[KEY].data["evaluator"] == "judge"


def test_another_choice_of_key_tokens_or_another_evaluator_takes_no_rows_place(folder: Path, judge: Path) -> None:
    run(asked(folder, judge))
    place = folder / "results" / "single" / "smoke" / "rows.jsonl"
    before = len(read(place))
    run(asked(folder, judge, f"task.alpha={ALPHA / 2}"))
    assert len(read(place)) == before + 2
    assert len(sections(read(place))) == 2


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["task.evaluator=null"], r"set task.evaluator=<folder>, one that reads 256 tokens"),
        (["task.evaluator=nowhere"], r"no model in nowhere: expected a folder with config.json; set task.evaluator"),
        (["context=x8", "task.truncate_factor=8"], r"was made for 256 tokens, the long context has 512"),
        (["task.short=250"], r"short windows of 266 tokens, long ones of 256, texts of 320"),
        (["task.truncate_factor=2"], r"long ones of 256, texts of 128: expected each to be longer"),
        (["task.beta=1"], r"task.beta=1.0 makes no sense: expected at most 0"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_is_read(
    folder: Path, judge: Path, more: list[str], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        asked(folder, judge, *more)


def test_an_evaluator_of_another_tokenizer_and_one_that_finds_nothing_are_refused(folder: Path, judge: Path) -> None:
    with pytest.raises(UsageError, match="finds no key token in 2 documents: read more text"):
        run(asked(folder, judge, "task.alpha=1000"))
    path = judge / "tokenizer.json"
    whole = path.read_text()
    path.write_text(whole.replace('"lstrip": false', '"lstrip": true'))
    try:
        for more in ([], ["model.tokenizer=tiny"]):  # the base's, which says nothing of the evaluator
            with pytest.raises(UsageError, match="has another tokenizer than smoke"):
                run(asked(folder, judge, *more))
    finally:
        path.write_text(whole)


# On a page


@pytest.mark.parametrize(("beta", "shown"), [(-2, "7.39"), (-9, "8103"), (-1000, "10^434")])
def test_a_caption_says_what_beta_bounds_however_low_it_is(beta: float, shown: str) -> None:
    about = {"name": "longppl", "source": "local", "ids": ["1"], "sha256": "a", "evaluator": "judge", "block": 64,
             "evaluator_sha256": "b" * 64, "long": 1024, "short": 320, "alpha": 2.0, "beta": beta}  # fmt: skip
    rows = [record(PI, metric, 6.0, task="longppl", eval_window=1024, data=about) for metric in (KEY, ALL)]
    (section,) = sections(rows)
    assert f"its own LongPPL is below {shown} by that choice" in section.table.caption


def test_a_table_an_evaluator_with_what_it_chose() -> None:
    about: dict[str, Any] = {"name": "longppl", "source": "local", "ids": ["1"], "evaluator_sha256": "b" * 64,
                             "long": 1024, "short": 320, "block": 64, "alpha": 2.0, "beta": -2.0}  # fmt: skip
    values = {BASE: (900.0, 160.0), UNTUNED: (250.0, 105.0), PI: (6.0, 36.0)}
    rows = [
        record(item, metric, value, task="longppl", eval_window=1024, n_documents=8, n_tokens=count, data=data)
        for name in ("a", "b")
        for data in [{**about, "evaluator": name, "sha256": name}]
        for item, pair in values.items()
        for metric, value, count in zip((KEY, ALL), pair, (160, 32768), strict=True)
    ]
    first, second = sections(rows)
    assert first.title == "LongPPL: local text, key tokens by a"
    assert [column(first.table, row, "LongPPL").value for row in range(3)] == [900, 250, 6]
    assert column(first.table, 2, "all tokens").value == 36
    assert "over 160 key tokens and over all 32,768, in windows of 1024" in first.table.caption
    assert "Key is what b (sha256 `bbbbbbbbbbbbbbbb`) finds more than 2 nats more likely" in second.table.caption
    assert "its own LongPPL is below 7.39 by that choice" in second.table.caption
