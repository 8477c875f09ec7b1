"""Harder retrieval: prompts exact to the token, puzzles that have one answer, verdicts on hand-made models."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import kstest
from test_passkey_rules import Writer, at_once, behind_a_word, by_hand

from position_interpolation.app import launch, run
from position_interpolation.evidence.records import Record, read
from position_interpolation.models.answers import Reading
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.retrieval import measure, probes, puzzles
from position_interpolation.tasks.retrieval.measure import Answered, numbers
from position_interpolation.tasks.retrieval.probes import Probe, mistaken, right
from position_interpolation.text import recall

ASKED = [("keys", 4), ("keys", 16), ("values", 4), ("pairs", 4), ("pairs", 16), ("hops", 1), ("hops", 4)]


def made(tokenizer: Any, kind: str, count: int, trials: int = 6, window: int = 480, seed: int = 0) -> list[Probe]:
    found = probes.probes(tokenizer, kind, count, window, trials, digits=5, seed=seed)
    assert len(found) == trials
    return found


def sentences(tokenizer: Any, probe: Probe) -> list[str]:
    return str(tokenizer.decode(probe.prompt)).splitlines()


# Puzzles


@pytest.mark.parametrize(
    ("kind", "count", "stated"), [("keys", 4, 5), ("values", 4, 4), ("pairs", 64, 64), ("hops", 2, 4)]
)
def test_a_prompt_states_so_many_different_numbers(kind: str, count: int, stated: int) -> None:
    for seed in range(20):
        puzzle = puzzles.KINDS[kind](random.Random(seed), count, 3)
        found = re.findall(r"\d+", " ".join(puzzle.lines))
        assert len(found) == len(set(found)) == stated
        assert set(found) == {*puzzle.values, *puzzle.others}
        assert puzzle.values[0] in puzzle.lines[puzzle.holder]
        assert {len(number) for number in found} == {3}


def test_one_key_is_asked_for_and_no_other_has_its_name() -> None:
    for seed in range(20):
        puzzle = puzzles.keys(random.Random(seed), 16, 5)
        (name,) = re.findall(r"^What is the (.+)\? The \1 is$", puzzle.question)
        assert [line for line in puzzle.lines if name in line] == [f"The {name} is {puzzle.values[0]}."]


def test_all_values_are_asked_for_in_their_order() -> None:
    puzzle = puzzles.values(random.Random(0), 4, 5)
    (name,) = {line.rpartition(" is ")[0].removeprefix("One ") for line in puzzle.lines}
    assert name.replace(" code ", " codes ") in puzzle.question
    assert [line.rpartition(" ")[2] for line in puzzle.lines] == [f"{value}." for value in puzzle.values]


def test_a_line_of_the_list_is_asked_for_again() -> None:
    puzzle = puzzles.pairs(random.Random(0), 16, 5)
    (word,) = re.findall(r"^What is the (.+)\? The \1 is$", puzzle.question)
    assert [line for line in puzzle.lines if word in line] == [f"The {word} is {puzzle.values[0]}."]


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_the_letter_asked_for_leads_to_its_number_over_so_many_others(count: int) -> None:
    for seed in range(20):
        puzzle = puzzles.hops(random.Random(seed), count, 5)
        known: dict[str, tuple[str, int]] = {}
        for line in puzzle.lines:  # read from the front: what a line refers to has been said
            letter, said = re.findall(r"^The number of (.) is (.+)\.$", line)[0]
            assert letter not in known
            before = said.removeprefix("the number of ")
            known[letter] = (said, 0) if said.isdigit() else (known[before][0], known[before][1] + 1)
        (asked,) = re.findall(r"^What is the number of (.)\? The number of \1 is$", puzzle.question)
        assert known[asked] == (puzzle.values[0], count)
        chains = [said for said, length in known.values() if length == count]
        assert sorted(chains) == sorted([*puzzle.values, *puzzle.others])  # the others are as long


@pytest.mark.parametrize(
    ("kind", "count", "expected"),
    [("keys", 4, 1 / 5), ("pairs", 64, 1 / 64), ("hops", 4, 1 / 4), ("values", 4, 1 / 24)],
)
def test_chance_is_of_naming_a_number_of_the_prompt(kind: str, count: int, expected: float) -> None:
    assert puzzles.KINDS[kind](random.Random(0), count, 5).chance == pytest.approx(expected)


def test_the_words_stand_nowhere_in_the_text_that_models_are_tuned_on() -> None:
    taught = {word.lower() for words in (recall.NAMES, recall.THINGS, recall.WORDS, recall.QUALITIES) for word in words}
    taught |= {word.lower() for text in (*recall.SUBJECTS, *recall.OWNERS) for word in text.split()}
    assert not taught & {word.lower() for word in (*puzzles.OWNERS, *puzzles.THINGS)}
    assert len({*puzzles.THINGS}) == len(puzzles.THINGS) >= 64


# Prompts


@pytest.mark.parametrize(("kind", "count"), ASKED)
def test_prompt_and_answer_fill_the_window(tokenizer: Any, kind: str, count: int) -> None:
    """The last answer token is predicted but never read: one id more than the window has positions."""
    for window in (480, 500):
        for probe in made(tokenizer, kind, count, window=window):
            assert len(probe.prompt) + len(probe.answer) == window + 1
            assert probe.prompt[0] == tokenizer.bos_token_id


@pytest.mark.parametrize(("kind", "count"), ASKED)
def test_every_line_stands_by_itself_in_its_order(tokenizer: Any, kind: str, count: int) -> None:
    for probe in made(tokenizer, kind, count):
        said = sentences(tokenizer, probe)
        places = [said.index(line) for line in probe.puzzle.lines]
        assert places == sorted(places)
        if probe.puzzle.together:
            assert places == list(range(places[0], places[0] + count))
        assert "\n".join(said).endswith(probe.puzzle.question + " ")


@pytest.mark.parametrize(("kind", "count"), ASKED)
def test_the_digits_alone_are_judged(tokenizer: Any, kind: str, count: int) -> None:
    for probe in made(tokenizer, kind, count):
        assert tokenizer.decode(probe.answer) == ", ".join(probe.puzzle.values)
        judged = [str(tokenizer.decode(probe.answer[start:end])) for start, end in probe.spans]
        assert judged == list(probe.puzzle.values)


@pytest.mark.parametrize(("kind", "count"), ASKED)
def test_what_is_asked_for_stands_at_its_distance(tokenizer: Any, kind: str, count: int) -> None:
    for probe in made(tokenizer, kind, count):
        behind = str(tokenizer.decode(probe.prompt[-probe.distance :]))
        assert behind.splitlines()[0].rstrip(".") == probe.puzzle.values[0]


@pytest.mark.parametrize(
    ("kind", "count", "window"), [("keys", 4, 640), ("pairs", 4, 640), ("pairs", 16, 256), ("pairs", 64, 1024)]
)
def test_depth_is_uniform(tokenizer: Any, kind: str, count: int, window: int) -> None:
    """Also where a list fills most of the prompt, which has little choice where to begin."""
    found = [probe.distance for probe in made(tokenizer, kind, count, 300, window)]
    nearest, farthest = min(found), max(found)
    assert kstest(found, "uniform", (nearest, farthest - nearest)).pvalue > 0.001
    assert farthest - nearest > 0.6 * window


def test_the_seed_alone_draws_the_prompts(tokenizer: Any) -> None:
    """So every extension is asked the same."""
    assert made(tokenizer, "keys", 4) == made(tokenizer, "keys", 4)
    assert not {probe.prompt for probe in made(tokenizer, "keys", 4)} & {
        probe.prompt for probe in made(tokenizer, "keys", 4, seed=1)
    }


def test_what_has_no_room_is_not_asked(tokenizer: Any) -> None:
    assert probes.probes(tokenizer, "pairs", 64, 512, 4, 5, 0) == []


def test_a_tokenizer_that_joins_digits_is_refused() -> None:
    tokenizer = by_hand([("1", "2"), ("3", "4"), ("5", "6"), ("7", "7")])
    with pytest.raises(UsageError, match="this tokenizer joins digits"):
        probes.probes(tokenizer, "keys", 4, 2048, 20, 5, 0)


# Verdicts


class Reader(Writer):
    """A model that goes on from each question with what `says` makes of its trial."""

    def __init__(self, tokenizer: Any, trials: list[Probe], says: Callable[[Probe], str], **more: Any) -> None:
        super().__init__(tokenizer, **more)
        self.trials, self.says = {probe.prompt: probe for probe in trials}, says

    def probe(self, ids: list[int]) -> Probe:
        return next(probe for prompt, probe in self.trials.items() if tuple(ids[: len(prompt)]) == prompt)

    def asked(self, ids: list[int]) -> int:
        return len(self.probe(ids).prompt) - 1  # without the lone space

    def key(self, ids: list[int]) -> str:
        return self.says(self.probe(ids))


def perfect(probe: Probe) -> str:
    return ", ".join(probe.puzzle.values)


def first_number(probe: Probe) -> str:
    (found, *_) = re.findall(r"\d+", " ".join(probe.puzzle.lines))
    return str(found)


def answered(tokenizer: Any, trials: list[Probe], says: Callable[[Probe], str], stories: Any = at_once) -> Answered:
    prepared = type("Prepared", (), {})()
    prepared.model, prepared.tokenizer = Reader(tokenizer, trials, says, stories=stories), tokenizer
    prepared.config = launch.typed(launch.composed(["task=retrieval"]))
    return measure._answered(prepared, trials, most=100)


def rates(trials: list[Probe], found: Answered) -> dict[str, float]:
    rows = numbers(trials, found, {"kind": "keys"}, 480, 4)
    return {row.metric: row.estimate.value for row in rows if row.at is None}


@pytest.fixture(autouse=True)
def registered() -> None:
    launch.register()


@pytest.mark.parametrize(("kind", "count"), ASKED)
def test_a_model_that_knows_has_every_answer(tokenizer: Any, kind: str, count: int) -> None:
    trials = made(tokenizer, kind, count)
    found = rates(trials, answered(tokenizer, trials, perfect))
    assert found["retrieved"] == 1
    assert "wrong_number" not in found


@pytest.mark.parametrize(("kind", "count"), ASKED)
def test_right_digits_behind_another_word_are_right(tokenizer: Any, kind: str, count: int) -> None:
    """It would rather write `the 12345`; but the space stands there already, and then comes the key."""
    trials = made(tokenizer, kind, count)
    assert rates(trials, answered(tokenizer, trials, perfect, behind_a_word))["retrieved"] == 1


@pytest.mark.parametrize(("kind", "count"), [("keys", 4), ("pairs", 4), ("hops", 1)])
def test_a_model_that_copies_the_first_number_is_right_by_chance_and_finds_the_wrong_one_else(
    tokenizer: Any, kind: str, count: int
) -> None:
    trials = made(tokenizer, kind, count, trials=40)
    lucky = sum(first_number(probe) == probe.puzzle.values[0] for probe in trials) / 40
    found = rates(trials, answered(tokenizer, trials, first_number))
    assert found["retrieved"] == lucky
    assert found["wrong_number"] == 1
    assert abs(lucky - found["chance"]) < 0.2


def test_the_first_of_several_values_is_not_all_of_them(tokenizer: Any) -> None:
    trials = made(tokenizer, "values", 4, trials=2)
    found = rates(trials, answered(tokenizer, trials, first_number))
    assert (found["retrieved"], found["wrong_number"]) == (0, 0)  # nothing follows, so no other value
    found = rates(trials, answered(tokenizer, trials, lambda probe: ", ".join(reversed(probe.puzzle.values))))
    assert (found["retrieved"], found["wrong_number"]) == (0, 1)


def test_a_model_that_writes_something_else_finds_nothing(tokenizer: Any) -> None:
    trials = made(tokenizer, "keys", 4)
    assert rates(trials, answered(tokenizer, trials, lambda _: "not here"))["wrong_number"] == 0


def test_what_stands_between_values_is_not_judged(tokenizer: Any) -> None:
    (probe, *_) = made(tokenizer, "values", 4)
    digits = [str(tokenizer.decode([token])).isdigit() for token in probe.answer]
    losses = [1.0 if digit else 100.0 for digit in digits]
    assert right(probe, Reading(tuple(digits), tuple(losses)))
    assert probes.log_likelihood(probe, Reading(tuple(digits), tuple(losses))) == -1
    for place, digit in enumerate(digits):
        if digit:
            assert not right(probe, Reading((*digits[:place], False, *digits[place + 1 :]), tuple(losses)))


def test_a_wrong_answer_is_another_number_of_the_prompt_or_none(tokenizer: Any) -> None:
    puzzle = puzzles.Puzzle(("a 111.", "b 222.", "c 333."), 0, "a? a is", ("111", "222"), ("333",))
    probe = Probe((), (), (), puzzle, 0)
    wrong = {
        "333": True, "222": True, "the 333": True, "111, 333": True, "111, 111": True, "444": False,
        "111, 444, 333": False, "3334": False, "111": False, "none": False,
    }  # fmt: skip
    assert {text: mistaken(probe, text) for text in wrong} == wrong


def test_numbers_by_distance_and_over_all() -> None:
    puzzle = puzzles.Puzzle(("a 1.", "b 2."), 0, "a?", ("1",), ("2",))
    trials = [Probe((0,) * 10, (1,), ((0, 1),), puzzle, distance) for distance in (1, 4, 5, 8)]
    answers = Answered([True, False, True, True], [-0.1, -2.0, -0.1, -0.2], [(trials[1], "2")])
    rows = list(numbers(trials, answers, {"kind": "keys"}, window=16, distances=4))
    assert {(row.metric, row.at): row.estimate.value for row in rows} == pytest.approx(
        {
            ("retrieved", None): 0.75, ("retrieved", 4): 0.5, ("retrieved", 8): 1.0,
            ("answer_log_likelihood", None): -0.6, ("wrong_number", None): 1.0, ("chance", None): 0.5,
        }
    )  # fmt: skip
    assert [row.n_documents for row in rows] == [4, 2, 2, 4, 1, 4]
    assert {(row.protocol, row.eval_window) for row in rows} == {("key", 16)}
    assert not [row for row in numbers(trials, answers, {"kind": "hops"}, 16, 4) if row.at is not None]


# Runs


def carried_out(folder: Path, *overrides: str) -> list[Record]:
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    asked = ["model=smoke", "extension=none", "task=retrieval", "task.windows=[256]", "task.trials=3", "task.written=2"]
    few = ["task.keys=[4]", "task.values=[2]", "task.pairs=[4,16]", "task.hops=[1]"]
    run.run(launch.typed(launch.composed([*asked, *few, "wandb=disabled", *places, *overrides])))
    return read(folder / "results" / "single" / "smoke" / "rows.jsonl")


def test_every_kind_and_count_has_its_records_and_is_measured_once(tmp_path: Path) -> None:
    rows = carried_out(tmp_path)
    found = {(row.data["kind"], row.data["count"]) for row in rows}
    assert found == {("keys", 4), ("values", 2), ("pairs", 4), ("pairs", 16), ("hops", 1)}
    assert len({row.identity for row in rows}) == len(rows)
    assert {row.n_documents for row in rows if row.metric == "wrong_number"} == {2}
    assert carried_out(tmp_path) == rows


def test_failures_are_kept_to_be_read(tmp_path: Path) -> None:
    before = carried_out(tmp_path)
    assert carried_out(tmp_path, "task.keep_answers=true") == before
    (place,) = tmp_path.glob("runs/answers/smoke-none-x1-0steps-keys-4-256-*.jsonl")
    lines = [json.loads(line) for line in place.read_text().splitlines()]
    assert [list(line) for line in lines] == [
        ["question", "distance", "values", "written", "wrong_number", "prompt"]
    ] * 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("task.pairs=[65]", "task.pairs has 65: expected 2 to 64"),
        ("task.hops=[6]", "task.hops has 6: expected 0 to 5"),
        ("task.windows=[250]", r"4 distances do not divide prompts of \[250\]"),
        ("task.digits=2", "task.digits=2 makes no sense: expected a number of at least 3"),
        ("task.pairs=[64]", "task.pairs has 64, which fit no prompt of 256 tokens"),
    ],
)
def test_bad_input_is_one_clear_line(change: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=expected) as refused:
        carried_out(tmp_path, change)
    assert "\n" not in str(refused.value)


def test_nothing_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is asked: set one of"):
        carried_out(tmp_path, *(f"task.{kind}=[]" for kind in puzzles.MOST))
