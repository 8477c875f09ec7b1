"""Zero-shot choices: tokens that fit, likelihoods of a plain computation, and changes between models by hand."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence import records
from position_interpolation.evidence.intervals import mean
from position_interpolation.evidence.records import Record, read
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.benchmarks import measure as evaluation
from position_interpolation.tasks.benchmarks.questions import SETS, Question
from position_interpolation.tasks.benchmarks.scores import Prompt, Scores, log_likelihoods, margins, prompts, right
from position_interpolation.tuning import extension

BOS = 0
WORDS = ["the", "old", "house", "stood", "near", "a", "river", "and", "nobody", "had", "lived", "in", "it", "since"]


def question(context: int, *choices: int, answer: int = 0) -> Question:
    """A context and choices of so many words each."""
    texts = [" " + " ".join(WORDS[(place + k) % len(WORDS)] for k in range(n)) for place, n in enumerate(choices)]
    text = " ".join(WORDS[k % len(WORDS)] for k in range(context))
    return Question(f"{context}-{choices}", (text,) * len(choices), tuple(texts), answer)


def plain(model: Any, prompt: Prompt) -> float:
    """One choice at a time, all logits, the tokens' log-probabilities picked and added."""
    ids = torch.tensor([prompt.tokens])
    with torch.inference_mode():
        logs = model(ids).logits.double().log_softmax(dim=-1)[0]
    start = len(prompt.tokens) - prompt.scored
    return sum(float(logs[place - 1, prompt.tokens[place]]) for place in range(start, len(prompt.tokens)))


# Tokens


def test_a_prompt_is_bos_context_and_choice_as_the_tokenizer_reads_them(tokenizer: Any) -> None:
    item = question(10, 3, 5)
    for prompt, choice in zip(prompts(tokenizer, [item], 64, BOS), item.choices, strict=True):
        assert prompt.tokens[0] == BOS
        assert tokenizer.decode(prompt.tokens[1:]) == item.contexts[0] + choice
        assert tokenizer.decode(prompt.tokens[-prompt.scored :]) == choice
        assert prompt.size == len(choice.strip())
        assert not prompt.cut


def test_a_long_context_loses_its_beginning_and_never_the_choice(tokenizer: Any) -> None:
    item = question(200, 3, 5)
    whole = prompts(tokenizer, [item], 4096, BOS)
    for prompt, full in zip(prompts(tokenizer, [item], 40, BOS), whole, strict=True):
        assert len(prompt.tokens) == 40
        assert prompt.tokens == (BOS, *full.tokens[-39:])
        assert prompt.scored == full.scored
        assert (prompt.cut, full.cut) == (True, False)


def test_the_window_holds_a_prompt_that_just_fits(tokenizer: Any) -> None:
    item = question(30, 4)
    (full,) = prompts(tokenizer, [item], 4096, BOS)
    (exact,) = prompts(tokenizer, [item], len(full.tokens), BOS)
    (short,) = prompts(tokenizer, [item], len(full.tokens) - 1, BOS)
    assert exact == full
    assert short.cut


def test_a_choice_longer_than_the_window_is_scored_on_what_is_left(tokenizer: Any) -> None:
    (prompt,) = prompts(tokenizer, [question(5, 100)], 16, BOS)
    assert (len(prompt.tokens), prompt.scored, prompt.cut) == (16, 15, True)
    assert prompt.size == len(tokenizer.decode(prompt.tokens[1:]).strip())
    (without,) = prompts(tokenizer, [question(5, 100)], 16, None)  # nothing predicts the first token
    assert (len(without.tokens), without.scored) == (16, 15)


def test_bytes_are_those_of_utf8(tokenizer: Any) -> None:
    item = Question("u", ("Say it:",), (" größer",), 0)
    assert prompts(tokenizer, [item], 64, BOS)[0].size == 8


# Likelihoods


@pytest.mark.parametrize("tokens_per_forward", [1, 100, 10_000])
@pytest.mark.parametrize("method", [("none", 1.0), ("pi", 4.0)])
def test_likelihoods_are_those_of_one_full_forward_a_choice(
    build_llama: Callable[..., Any], tokenizer: Any, method: tuple[str, float], tokens_per_forward: int
) -> None:
    model = build_llama(*method)
    asked = prompts(tokenizer, [question(n, 1, 2 + n % 7, 6) for n in (1, 40, 7, 22, 100, 3)], 64, BOS)
    told: list[int] = []
    found = log_likelihoods(model, asked, tokens_per_forward, told.append)
    assert found == pytest.approx([plain(model, prompt) for prompt in asked], abs=1e-4)
    assert sum(told) == sum(len(prompt.tokens) for prompt in asked)


# Verdicts


def scores(likelihoods: list[list[float]], sizes: list[list[int]], answers: list[int]) -> Scores:
    shape = np.array(sizes)
    return Scores(np.array(likelihoods), shape, shape, np.zeros(len(answers), bool), np.array(answers))


def test_verdicts_and_margins_by_hand() -> None:
    # By sum the first choice wins, -4 to -6; by byte the second, -6 / 6 = -1 to -4 / 2 = -2.
    # The third question has two wrong choices: the better one, -3 / 3 = -1, counts.
    made = scores([[-4, -6, -99], [-4, -6, -99], [-2, -8, -3]], [[2, 6, 9], [2, 6, 9], [4, 4, 3]], [0, 1, 0])
    assert right(made).tolist() == [1, 0, 1]
    assert right(made, normalised=True).tolist() == [0, 1, 1]
    assert margins(made) == pytest.approx([-2 + 1, -1 + 2, -0.5 + 1])


def test_the_mean_has_an_interval_over_questions() -> None:
    values = np.random.default_rng(1).normal(0.5, 1, 400)
    found = mean(values, 2000)
    assert found.value == pytest.approx(values.mean())
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * values.std() / 20  # the normal interval
    assert found.low == pytest.approx(values.mean() - half, abs=0.015)
    assert found.high == pytest.approx(values.mean() + half, abs=0.015)
    assert mean(np.zeros(5), 100) == mean(np.zeros(9), 100)
    assert mean(values[:1], 100).low is None


# Runs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dozen questions of two sets in the layout of data=local."""
    fine = {"goal": "cross the river", "sol1": "take the old boat", "sol2": "drink the whole river up"}
    wino = {"sentence": "cup is not in the bag as the _ is too big.", "option1": "cup", "option2": "bag"}
    sets = {
        "piqa": [{"id": n, **fine, "goal": f"{' '.join(WORDS[:n])} {WORDS[n]}", "label": n % 2} for n in range(12)],
        "winogrande": [
            {"id": n, **wino, "sentence": f"{WORDS[n]} {wino['sentence']}", "answer": str(1 + n % 2)} for n in range(12)
        ],
    }
    (tmp_path / "benchmarks").mkdir()
    for name, rows in sets.items():
        with gzip.open(tmp_path / "benchmarks" / f"{name}.jsonl.gz", "wt") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def records_of(folder: Path, *overrides: str) -> list[Record]:
    launch.register()
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    usual = ["model=smoke", "task=benchmarks", "task.sets=[piqa,winogrande]", "data=local", f"data.root={folder}"]
    run(
        launch.typed(
            launch.composed([*usual, "wandb=disabled", "train=untuned", "compute.dtype=float32", *places, *overrides])
        )
    )
    return read(folder / "results" / "single" / "smoke" / "rows.jsonl")


def value(rows: list[Record], method: str, task: str, metric: str) -> float:
    (found,) = [row.value for row in rows if (row.method, row.task, row.metric) == (method, task, metric)]
    return found


def test_records_name_their_set_and_compare_an_extension_with_its_base(folder: Path) -> None:
    records_of(folder, "method=none")
    rows = records_of(folder, "method=pi")
    for name in ("piqa", "winogrande"):
        for metric in ("accuracy", "margin"):
            change = value(rows, "pi", name, metric) - value(rows, "none", name, metric)
            assert value(rows, "pi", name, f"{metric}_change") == pytest.approx(change, abs=1e-9)
        assert value(rows, "pi", name, "margin_change") != 0
    assert {row.task for row in rows} == {"piqa", "winogrande"}
    assert not [row for row in rows if row.method == "none" and row.metric.endswith("change")]
    first = next(row for row in rows if row.task == "piqa")
    assert (first.eval_window, first.n_documents, first.data["name"], first.data["ids"]) == (64, 12, "piqa", None)


def test_the_change_of_a_model_with_itself_is_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "replace", lambda config, **_: config)  # so that its base is the model itself
    changes = [row for row in records_of(folder, "method=pi") if row.metric.endswith("_change")]
    assert len(changes) == 4
    assert {(row.value, row.ci_low, row.ci_high) for row in changes} == {(0.0, 0.0, 0.0)}


def test_scores_are_computed_once_and_a_killed_run_goes_on_set_by_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    score = evaluation._score

    def counted(prepared: Any, one: Any) -> Scores:
        asked.append(f"{prepared.treatment.method} {prepared.treatment.factor:g} {one.name}")
        if asked == ["pi 2 piqa", "none 1 piqa", "pi 2 winogrande"]:
            raise KeyboardInterrupt
        return score(prepared, one)

    monkeypatch.setattr(evaluation, "_score", counted)
    with pytest.raises(KeyboardInterrupt):
        records_of(folder, "method=pi", "context=x2")
    asked.append("killed")
    broken = records_of(folder, "method=pi", "context=x2")
    assert asked[3:] == ["killed", "pi 2 winogrande", "none 1 winogrande"]
    del asked[:]
    records_of(folder, "method=pi", "context=x4")  # another extension of the same base
    records_of(folder, "method=none")
    assert asked == ["pi 4 piqa", "pi 4 winogrande"]

    monkeypatch.undo()
    (folder / "other").mkdir()
    (folder / "other" / "benchmarks").symlink_to(folder / "benchmarks")
    unbroken = records_of(folder / "other", "method=pi", "context=x2")
    numbers = [[(row.task, row.metric, row.value, row.ci_low) for row in rows] for rows in (broken, unbroken)]
    assert numbers[0] == numbers[1]


def test_damaged_scores_are_computed_again(folder: Path) -> None:
    before = records_of(folder, "method=none")
    for path in (folder / "runs").rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    for path in (folder / "runs" / "records").iterdir():
        path.unlink()
    assert [row.value for row in records_of(folder, "method=none")] == [row.value for row in before]


def test_a_sample_lists_its_questions(folder: Path) -> None:
    rows = records_of(folder, "method=none", "task.questions=5")
    assert {(row.n_documents, len(row.data["ids"])) for row in rows} == {(5, 5)}


def signatures(folder: Path, *overrides: str) -> list[str]:
    launch.register()
    usual = ["model=smoke", "task=benchmarks", "task.sets=[piqa,winogrande]", "data=local", f"data.root={folder}"]
    config = launch.typed(launch.composed([*usual, "method=pi", "train=untuned", *overrides]))
    prepared = extension.prepare(config, lambda _: None)
    return [records.signature(item.parts) for item in evaluation.measurements(prepared, config.task)]


def test_each_set_has_a_name_of_its_own_that_what_changes_its_numbers_changes(folder: Path) -> None:
    usual = signatures(folder, "compute.dtype=float32")
    assert len(set(usual)) == 2
    for change in ("task.questions=5", "task.bootstrap=10", "compute.dtype=bfloat16", "context=x8"):
        assert not set(signatures(folder, "compute.dtype=float32", change)) & set(usual)
    for change in ("compute.tokens_per_forward=64", "experiment_name=other", "task.sets=[winogrande,piqa]"):
        assert set(signatures(folder, "compute.dtype=float32", change)) == set(usual)


def test_a_sample_can_be_asked_of_the_whole_experiment() -> None:
    launch.register()
    assert len(launch.jobs(["experiment=table5_benchmarks", "task.questions=200"])) == 4


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data=embedded"], "data=embedded has no benchmark questions: set data=local"),
        (["task.sets=[boolq,copa]"], f"task.sets=copa is not known: choose one of {', '.join(SETS)}"),
        (["task.sets=[]"], "expected one or more of boolq"),
        (["task.sets=[piqa,piqa]"], "each named once"),
        (["task.questions=0"], "task.questions=0 makes no sense"),
        (["data=local"], "data=local needs a directory for corpus 'boolq'"),
        (["data=local", "data.root=/nowhere"], "no file /nowhere/benchmarks/boolq.jsonl.gz"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_computed(overrides: list[str], expected: str) -> None:
    with pytest.raises(UsageError) as refused:
        launch.checked(["task=benchmarks", *overrides])
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
