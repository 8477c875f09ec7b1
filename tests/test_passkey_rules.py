"""Which answers to a passkey are right: the three rules on hand-made models and tokenizers, and what a run keeps."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from position_interpolation.app import launch, run
from position_interpolation.evidence.records import Record, read
from position_interpolation.models import answers
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.passkey import measure, prompts
from position_interpolation.tasks.passkey.config import MATCHES, PasskeyTask
from position_interpolation.tasks.passkey.measure import numbers
from position_interpolation.tasks.passkey.prompts import QUESTION, Probe, build, probes
from position_interpolation.text.encoding import encode

Stories = Callable[[list[int], list[int]], list[list[int]]]


class Writer:
    """A model that goes on from the question as the first of its stories that begins with what stands there already.

    It knows the key, and has what scoring and generation need of a model: hidden states that are the logits.
    """

    device = torch.device("cpu")

    def __init__(self, tokenizer: Any, stories: Stories, logit: float = 9.0) -> None:
        self.tokenizer, self.stories, self.logit = tokenizer, stories, logit
        self.config = SimpleNamespace(vocab_size=len(tokenizer), eos_token_id=None)
        self.question = encode(tokenizer, QUESTION)

    def model(self, input_ids: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        states = torch.zeros(*input_ids.shape, self.config.vocab_size)
        for row, ids in enumerate(input_ids.tolist()):
            asked = self.asked(ids)
            for place in range(asked - 1, len(ids)):
                states[row, place, self.next(ids, ids[asked : place + 1])] = self.logit
        return SimpleNamespace(last_hidden_state=states)

    def asked(self, ids: list[int]) -> int:
        """Where the question ends."""
        count = len(self.question)
        return max(end for end in range(count, len(ids) + 1) if ids[end - count : end] == self.question)

    def key(self, ids: list[int]) -> str:
        (key,) = re.findall(r"The pass key is (\d+)\. Remember", self.tokenizer.decode(ids))
        return str(key)

    def next(self, ids: list[int], begun: list[int]) -> int:
        answer, word = encode(self.tokenizer, f" {self.key(ids)}"), encode(self.tokenizer, " the")
        going_on = (story[len(begun) :] for story in self.stories(word, answer) if story[: len(begun)] == begun)
        return (next(going_on, []) or encode(self.tokenizer, "."))[0]

    def lm_head(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden

    def generate(self, ids: torch.Tensor, generation_config: Any, **_: Any) -> torch.Tensor:
        for _ in range(generation_config.max_new_tokens):
            choice = self.model(ids, use_cache=False).last_hidden_state[:, -1].argmax(dim=-1)
            ids = torch.cat([ids, choice[:, None]], dim=1)
        return ids


def at_once(word: list[int], answer: list[int]) -> list[list[int]]:
    """`12345.`"""
    return [answer]


def behind_a_word(word: list[int], answer: list[int]) -> list[list[int]]:
    """`the 12345.`; but where a space stands already, the key."""
    return [word + answer, answer]


def and_more(word: list[int], answer: list[int]) -> list[list[int]]:
    """`1234555.`"""
    return [answer + answer[-1:] * 2]


def by_hand(merges: list[tuple[str, str]]) -> Any:
    """A byte-level BPE with these merges alone: every other character is a token of its own."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*alphabet, *(a + b for a, b in merges)])}
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made)


@pytest.fixture(scope="module")
def tokenizers(tokenizer: Any) -> dict[str, Any]:
    """How a space and five digits become tokens: `_ 1 2 3 4 5`, `_ 12 34 5` but `_ 9 8 7 6 5`, or `_1 2 3 4 5`."""
    return {
        "lone space": tokenizer,
        "joined digits": by_hand([("1", "2"), ("3", "4"), ("5", "6"), ("7", "7")]),
        "no lead": by_hand([("Ġ", digit) for digit in "0123456789"]),
    }


def rate(model: Any, tokenizer: Any, match: str) -> float:
    """Of eight keys, as a run judges them; the verdict of one forward is that of what is written."""
    trials = probes(tokenizer, 640, count=4, trials=2, digits=5, seed=0, match=match)
    written = answers.write(model, trials, 10, 2048)
    hits = [prompts.right(tokenizer, *pair, match) for pair in zip(trials, written, strict=True)]
    if match != "number":
        assert [all(reading.greedy) for reading in answers.read(model, trials, 2048)] == hits
    return sum(hits) / len(hits)


@pytest.mark.parametrize(
    ("kind", "stories", "key", "strict", "number"),
    [
        ("lone space", at_once, 1, 1, 1),
        ("lone space", behind_a_word, 1, 0, 1),
        ("lone space", and_more, 1, 1, 0),
        ("no lead", at_once, 1, 1, 1),
        ("no lead", behind_a_word, 0, 0, 1),  # nothing tells the space from the key's first digit
        ("no lead", and_more, 1, 1, 0),
        ("joined digits", at_once, None, None, 1),
        ("joined digits", behind_a_word, None, None, 1),
        ("joined digits", and_more, None, None, 0),
    ],
)
def test_where_the_rules_differ(
    tokenizers: dict[str, Any], kind: str, stories: Stories, key: int | None, strict: int | None, number: int | None
) -> None:
    tokenizer = tokenizers[kind]
    model = Writer(tokenizer, stories)
    for match, expected in zip(MATCHES, (key, strict, number), strict=True):
        if expected is None:
            with pytest.raises(UsageError, match=r"joins digits: keys have \d to 5 tokens.*set task.match=number"):
                rate(model, tokenizer, match)
        else:
            assert rate(model, tokenizer, match) == expected, match


@pytest.mark.parametrize("kind", ["lone space", "joined digits", "no lead"])
@pytest.mark.parametrize("match", MATCHES)
def test_a_rule_says_where_the_answer_begins_and_how_long_it_may_be(
    tokenizers: dict[str, Any], kind: str, match: str
) -> None:
    tokenizer = tokenizers[kind]
    for first in "123456789":
        probe = build(tokenizer, f"{first}9876", 320, 640, match=match)
        space = match == "key" and kind != "no lead"
        assert tokenizer.decode(probe.prompt).endswith("The pass key is" + " " * space)
        assert tokenizer.decode(probe.answer) == " " * (not space) + probe.key
        assert tokenizer.decode(probe.answer[: probe.lead]) == " " * (match != "key" and kind != "no lead")
        assert probe.distance == 320
        assert tokenizer.decode(probe.prompt[-320:]).lstrip().startswith(f"{probe.key}. Remember it.")
        # Ten tokens are written freely, the last of which is predicted, never read.
        assert len(probe.prompt) + (10 if match == "number" else len(probe.answer)) == 640 + 1


def test_the_first_number_written_counts_as_in_the_peers_scripts(tokenizer: Any) -> None:
    probe = build(tokenizer, "12345", 128, 256, match="number")

    def says(text: str) -> bool:
        return prompts.right(tokenizer, probe, encode(tokenizer, text), "number")

    assert says(" 12345.")
    assert says("12345 or 54321")
    assert says(" the key: 12345")
    assert not says(" 1 2 3 4 5")
    assert not says(" 54321, no, 12345")
    assert not says(" the key")
    assert not says("")


@pytest.mark.parametrize("match", MATCHES)
def test_the_keys_log_likelihood_by_hand(tokenizer: Any, match: str) -> None:
    """Logits of 2 for the token that comes next and 0 for the 4095 others, whatever is asked of the space."""
    trials = probes(tokenizer, 256, count=4, trials=2, digits=5, seed=0, match=match)
    found = answers.read(Writer(tokenizer, at_once, logit=2.0), trials, 2048)
    expected = 2 - math.log(math.exp(2) + 4095)
    assert list(map(prompts.log_likelihood, trials, found)) == pytest.approx([expected] * 8, abs=1e-5)
    blind = answers.read(Writer(tokenizer, lambda word, answer: [], logit=2.0), trials, 2048)
    assert prompts.log_likelihood(trials[0], blind[0]) == pytest.approx(-math.log(math.exp(2) + 4095), abs=1e-5)


def test_joined_digits_are_scored_by_the_digit(tokenizers: dict[str, Any]) -> None:
    """So that guessing is the same ln(1/10) whatever the tokenizer; answers of several lengths share a batch."""
    tokenizer = tokenizers["joined digits"]
    trials = [build(tokenizer, key, 320, 640, match="number") for key in ("12345", "98765")]
    assert [len(probe.answer) for probe in trials] == [4, 6]
    found = answers.read(Writer(tokenizer, at_once, logit=2.0), trials, 10_000)
    token = 2 - math.log(math.exp(2) + len(tokenizer) - 1)
    assert list(map(prompts.log_likelihood, trials, found)) == pytest.approx([3 * token / 5, token], abs=1e-5)
    assert all(all(reading.greedy) for reading in found)


def test_numbers_by_distance_and_over_all() -> None:
    trials = [Probe((0,) * 10, (1,), 0, "1", label=k, distance=k + 1) for k in (4, 8) for _ in range(2)]
    task = PasskeyTask(distances=2, trials=2)
    rows = list(numbers(trials, [True, True, True, False], [-0.1, -0.3, -2.0, -2.0], task, window=8))
    found = {(row.metric, row.at): row.estimate for row in rows}
    assert {key: estimate.value for key, estimate in found.items()} == pytest.approx(
        {
            ("success", 4): 1.0, ("success", 8): 0.5, ("success", None): 0.75,
            ("key_log_likelihood", 4): -0.2, ("key_log_likelihood", 8): -2.0, ("key_log_likelihood", None): -1.1,
            ("nearest_key", None): 5, ("farthest_key", None): 9, ("k_max", None): 8,
        }
    )  # fmt: skip
    assert found["key_log_likelihood", 4].low == pytest.approx(-0.2 - 12.706 * 0.1, abs=1e-3)
    assert found["key_log_likelihood", 4].high == 0, "no likelihood is above 1"
    assert {(row.protocol, row.eval_window) for row in rows} == {("key", 8)}
    assert [row.n_documents for row in rows] == [2, 2, 4, 2, 2, 4, 4, 4, 4]


# Runs


def carried_out(folder: Path, *overrides: str) -> list[Record]:
    launch.register()
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    asked = ["model=smoke", "extension=none", "task=passkey", "task.window=256", "task.distances=4", "task.trials=2"]
    run.run(launch.typed(launch.composed([*asked, "wandb=disabled", *places, *overrides])))
    return read(folder / "results" / "single" / "smoke" / "rows.jsonl")


def test_prompts_of_several_lengths_are_measured_each_on_its_own_grid(tmp_path: Path) -> None:
    rows = carried_out(tmp_path, "task.lengths=[0.5,0.75,1]")
    grids = {
        window: [row.at for row in rows if (row.metric, row.eval_window) == ("success", window)]
        for window in (128, 192, 256)
    }
    assert grids == {
        128: [32, 64, 96, 128, None], 192: [48, 96, 144, 192, None], 256: [64, 128, 192, 256, None],
    }  # fmt: skip
    assert {row.protocol for row in rows} == {"key"}
    again = carried_out(tmp_path, "task.lengths=[0.5,0.75,1]")
    assert again == rows, "measured once, as their time says"
    alone = [row for row in carried_out(tmp_path / "alone") if row.metric == "key_log_likelihood"]
    same = [row for row in rows if (row.metric, row.eval_window) == ("key_log_likelihood", 256)]
    assert [(row.at, row.value, row.signature) for row in alone] == [(r.at, r.value, r.signature) for r in same]


def test_a_prompt_too_short_for_its_lines_is_found_before_the_longer_ones_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "read", lambda *_: pytest.fail("measured before all lengths were looked at"))
    with pytest.raises(UsageError, match=r"window of 64 is too small .* it needs \d+; set a longer context"):
        carried_out(tmp_path, "task.lengths=[1,0.25]")


@pytest.mark.parametrize("match", MATCHES)
def test_answers_are_kept_to_be_read_though_the_numbers_were_there_before(
    match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = carried_out(tmp_path, f"task.match={match}")
    assert not list(tmp_path.glob("runs/answers/*"))
    after = carried_out(tmp_path, f"task.match={match}", "task.keep_answers=true")
    assert after == before
    (place,) = tmp_path.glob("runs/answers/*")
    assert re.fullmatch(rf"smoke-none-x1-0steps-256-{match}-[0-9a-f]{{16}}\.jsonl", place.name)
    assert capsys.readouterr().out.splitlines() == [f"what the model answered: {place}"]
    lines = [json.loads(line) for line in place.read_text().splitlines()]
    assert [list(line) for line in lines] == [["length", "label", "distance", "key", "written", "right"]] * 8
    assert [line["label"] for line in lines] == [64, 64, 128, 128, 192, 192, 256, 256]
    (success,) = (row.value for row in before if (row.metric, row.at) == ("success", None))
    assert sum(line["right"] for line in lines) / 8 == success
    written = place.stat().st_mtime_ns
    carried_out(tmp_path, f"task.match={match}", "task.keep_answers=true")
    assert place.stat().st_mtime_ns == written, "written once"


def test_rows_by_two_rules_stand_side_by_side(tmp_path: Path) -> None:
    strict = carried_out(tmp_path, "task.match=strict")
    both = carried_out(tmp_path)
    assert both[: len(strict)] == strict
    assert {row.protocol for row in both[len(strict) :]} == {"key"}
