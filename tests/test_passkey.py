"""The passkey test: prompts exact to the token, verdicts that greedy decoding confirms, k_max by hand.

What is judged, by which rule, and what is written down of it: test_passkey_rules.py.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GenerationConfig

from position_interpolation.evidence.k_max import k_max, longest_reached
from position_interpolation.models.answers import read, write
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.passkey.config import distances
from position_interpolation.tasks.passkey.prompts import Probe, build, probes, right

WINDOW = 256
HEADER = (
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. "
    "I will quiz you about the important information there.\n"
)
FIVE_LINES = re.compile(
    re.escape(HEADER) + r"(?P<before>[^\n]*)\n"
    r"The pass key is (?P<key>\d{5})\. Remember it\. (?P=key) is the pass key\.\n"
    r"(?P<behind>[^\n]*)\n"
    r"What is the pass key\? The pass key is "
)
FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "


@pytest.fixture(scope="module")
def all_probes(tokenizer: Any) -> list[Probe]:
    return probes(tokenizer, WINDOW, count=32, trials=3, digits=5, seed=0)


def written_key(tokenizer: Any, probe: Probe) -> str:
    return str(tokenizer.decode(probe.answer)).strip()


# Prompts


@pytest.mark.parametrize("window", [96, 128, 256, 1024])
def test_prompt_and_answer_fill_the_window(tokenizer: Any, window: int) -> None:
    """The last answer token is predicted but never read: one id more than the window has positions."""
    for probe in probes(tokenizer, window, count=8, trials=2, digits=5, seed=1):
        assert len(probe.prompt) + len(probe.answer) == window + 1


def test_the_decoded_prompt_is_the_papers_five_lines(tokenizer: Any, all_probes: list[Probe]) -> None:
    for probe in all_probes:
        assert probe.prompt[0] == tokenizer.bos_token_id
        assert tokenizer.bos_token_id not in probe.prompt[1:]
        found = FIVE_LINES.fullmatch(tokenizer.decode(probe.prompt[1:]))
        assert found, tokenizer.decode(probe.prompt)
        assert found["key"] == written_key(tokenizer, probe)
        begun = [(FILLER * 100)[start:] for start in range(len(FILLER))]
        assert any(text.startswith(found["before"]) and text.startswith(found["behind"]) for text in begun)


def test_trials_at_one_distance_differ_in_more_than_the_key(tokenizer: Any, all_probes: list[Probe]) -> None:
    """Else ten trials would be hardly more than one, and success hang on where the distance cuts the filler."""
    header = 1 + len(tokenizer(HEADER, add_special_tokens=False)["input_ids"])
    for label in (64, 128, 192):
        starts = {probe.prompt[header : header + 8] for probe in all_probes if probe.label == label}
        assert len(starts) > 1


def test_the_answer_continues_the_prompt_as_the_tokenizer_would_write_it(
    tokenizer: Any, all_probes: list[Probe]
) -> None:
    question = "What is the pass key? The pass key is"
    for probe in all_probes[::10]:
        whole = tokenizer(f"\n{question} {written_key(tokenizer, probe)}", add_special_tokens=False)["input_ids"]
        assert list(probe.prompt + probe.answer)[-len(whole) :] == whole


def test_the_key_stands_exactly_at_its_distance(tokenizer: Any, all_probes: list[Probe]) -> None:
    def tokens(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    # Behind the key stand its own line and the question, before it BOS, the header and "The pass key is ".
    nearest = 5 + tokens(". Remember it. 12345 is the pass key.\n") + tokens("\nWhat is the pass key? The pass key is ")
    furthest = WINDOW + 1 - 5 - 1 - tokens(HEADER) - tokens("\nThe pass key is ")
    assert 8 < nearest < furthest < 256
    for probe in all_probes:
        behind = tokenizer.decode(probe.prompt[-probe.distance :])
        assert behind.startswith(f"{written_key(tokenizer, probe)}. Remember it.")
        # Only a distance for which the fixed lines leave no room is moved, and no further than they need.
        assert probe.distance == min(max(probe.label, nearest), furthest)


def test_moved_distances_stay_in_the_window(tokenizer: Any) -> None:
    first, last = build(tokenizer, "12345", 1, WINDOW), build(tokenizer, "12345", WINDOW, WINDOW)
    assert (first.label, last.label) == (1, WINDOW)
    assert FIVE_LINES.fullmatch(tokenizer.decode(first.prompt[1:]))["behind"] == ""  # type: ignore[index]
    assert FIVE_LINES.fullmatch(tokenizer.decode(last.prompt[1:]))["before"] == ""  # type: ignore[index]


def test_distances_are_32_even_steps_up_to_the_window() -> None:
    assert distances(8192, 32) == list(range(256, 8193, 256))
    assert distances(256, 4) == [64, 128, 192, 256]
    with pytest.raises(UsageError, match="32 distances do not divide a window of 100"):
        distances(100, 32)


def test_every_trial_has_its_own_random_key_of_five_digits(tokenizer: Any) -> None:
    made = probes(tokenizer, WINDOW, count=32, trials=10, digits=5, seed=0)
    assert [probe.label for probe in made] == [k for k in distances(WINDOW, 32) for _ in range(10)]
    keys = [written_key(tokenizer, probe) for probe in made]
    assert all(re.fullmatch(r"[1-9]\d{4}", key) for key in keys)
    assert len(set(keys)) > 310
    assert {key[0] for key in keys} == set("123456789")
    assert {key[4] for key in keys} == set("0123456789")
    assert made == probes(tokenizer, WINDOW, count=32, trials=10, digits=5, seed=0)
    assert keys != [written_key(tokenizer, p) for p in probes(tokenizer, WINDOW, 32, 10, digits=5, seed=1)]


def test_keys_can_have_other_lengths(tokenizer: Any) -> None:
    for digits in (1, 3, 8):
        for probe in probes(tokenizer, WINDOW, count=4, trials=2, digits=digits, seed=0):
            assert re.fullmatch(rf"[1-9]\d{{{digits - 1}}}", written_key(tokenizer, probe))
            assert len(probe.prompt) + len(probe.answer) == WINDOW + 1


def test_a_window_too_small_for_the_prompt_is_refused(tokenizer: Any) -> None:
    with pytest.raises(UsageError, match=r"window of 64 is too small.*needs (\d+)") as refusal:
        build(tokenizer, "12345", 32, 64)
    needed = int(re.findall(r"needs (\d+)", str(refusal.value))[0])
    build(tokenizer, "12345", 32, needed)
    with pytest.raises(UsageError, match="too small"):
        build(tokenizer, "12345", 32, needed - 1)


# Verdicts


def greedily(model: Any, trials: list[Probe]) -> torch.Tensor:
    prompts = torch.tensor([probe.prompt for probe in trials])
    greedy = GenerationConfig(max_new_tokens=6, do_sample=False, pad_token_id=2)
    with torch.inference_mode():
        written = model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=greedy)
    return torch.as_tensor(written[:, prompts.shape[1] :])


@pytest.fixture(scope="module")
def reader(build_llama: Callable[..., Any]) -> Any:
    return build_llama(window=WINDOW, num_key_value_heads=2)


@pytest.fixture(scope="module")
def half_right(reader: Any, all_probes: list[Probe]) -> list[Probe]:
    """Trials whose answer is what the model writes (even ones), or that but for one token (odd ones)."""
    trials = all_probes[::6]
    made = []
    for number, (probe, written) in enumerate(zip(trials, greedily(reader, trials).tolist(), strict=True)):
        if number % 2:
            written[number % 6] += 1
        made.append(replace(probe, answer=tuple(written)))
    return made


def verdicts(
    model: Any,
    trials: list[Probe],
    tokens_per_forward: int,
    generate: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> list[bool]:
    if not generate:
        return [all(reading.greedy) for reading in read(model, trials, tokens_per_forward, progress)]
    written = write(model, trials, 6, tokens_per_forward, progress)
    return [right(None, probe, ids, "key") for probe, ids in zip(trials, written, strict=True)]


@pytest.mark.parametrize("generate", [False, True])
@pytest.mark.parametrize("tokens_per_forward", [1, 3 * WINDOW, 100 * WINDOW])
def test_a_verdict_says_whether_the_model_writes_all_of_the_answer(
    reader: Any, half_right: list[Probe], tokens_per_forward: int, generate: bool
) -> None:
    expected = [number % 2 == 0 for number in range(len(half_right))]
    told: list[int] = []
    found = verdicts(reader, half_right, tokens_per_forward, generate, progress=told.append)
    assert found == expected
    assert sum(told) == sum(len(probe.prompt) for probe in half_right)


@pytest.mark.parametrize("generate", [False, True])
def test_a_random_model_knows_no_key(reader: Any, all_probes: list[Probe], generate: bool) -> None:
    assert verdicts(reader, all_probes[::8], 4096, generate) == [False] * len(all_probes[::8])


@pytest.mark.parametrize("place", [0, 1, 4])
@pytest.mark.parametrize("tokens_per_forward", [1, 100 * WINDOW])
def test_verdicts_agree_where_the_model_ends_its_text_early(
    build_llama: Callable[..., Any], all_probes: list[Probe], tokens_per_forward: int, place: int
) -> None:
    """What a base does that has not learned to copy: it writes EOS before the key is whole."""
    model = build_llama(window=WINDOW)
    trials = [all_probes[0]] * 3
    written = greedily(model, trials)[0].tolist()
    model.generation_config.eos_token_id = written[place]
    answer = tuple(token if token != written[place] else 7 for token in written)
    trials = [replace(probe, answer=answer) for probe in trials]
    assert greedily(model, trials).shape[1] == written.index(written[place]) + 1
    for generate in (False, True):
        assert verdicts(model, trials, tokens_per_forward, generate) == [False] * 3


# Rates and k_max


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({64: 1.0, 128: 1.0, 192: 1.0, 256: 1.0}, 256),
        ({64: 1.0, 128: 0.5, 192: 0.2, 256: 0.1}, 192),  # 20 % itself is enough
        ({64: 1.0, 128: 0.1, 192: 1.0, 256: 1.0}, 64),  # a dip in the middle ends it
        ({64: 0.1, 128: 1.0, 192: 1.0, 256: 1.0}, 0),  # the first fails
        ({256: 1.0, 64: 1.0, 192: 0.0, 128: 1.0}, 128),  # whatever their order
    ],
)
def test_k_max_is_the_largest_k_up_to_which_all_succeed(rates: dict[int, float], expected: int) -> None:
    assert longest_reached(rates, threshold=0.2) == expected
    assert k_max({k: round(10 * rate) for k, rate in rates.items()}, 10, 0.2).value == expected


def test_k_max_is_as_uncertain_as_the_trials_leave_it() -> None:
    plain = k_max({64: 100, 128: 100, 192: 0, 256: 0}, 100, 0.2)
    assert (plain.low, plain.value, plain.high) == (128, 128, 128)
    wavering = k_max({64: 10, 128: 10, 192: 2, 256: 10}, 10, 0.2)
    assert wavering.value == 256
    assert (wavering.low, wavering.high) == (128, 256)


def test_the_low_end_needs_each_distance_to_succeed_beyond_chance() -> None:
    """At a rate of 20 %, ten trials hit five times or more in 3.3 %, six or more in 0.6 %."""
    assert k_max({64: 10, 128: 6}, 10, 0.2).low == 128
    assert k_max({64: 10, 128: 5}, 10, 0.2).low == 64
    assert k_max({64: 1, 128: 1}, 1, 0.2).low == 0  # one hit in one trial: 20 %


def test_the_high_end_needs_a_run_that_fails_beyond_chance() -> None:
    """At a rate of 20 %, no hit in 16 trials has 2.8 %, in 17 trials 2.3 %; of two distances there are three runs, so
    none in 22 is needed, which has 0.7 %."""
    assert k_max({64: 0}, 16, 0.2).high == 64
    assert k_max({64: 0}, 17, 0.2).high == 0
    assert k_max({64: 17, 128: 0}, 17, 0.2).high == 128
    assert k_max({64: 22, 128: 0}, 22, 0.2).high == 64
    assert k_max({64: 0, 128: 0}, 11, 0.2).high == 64  # neither alone, but both together: one of them fails


@pytest.mark.parametrize(
    ("rates", "trials", "truth"),
    [([0.25] * 8, 1, 8), ([0.25] * 32, 10, 32), ([0.9] * 16 + [0.1] * 16, 10, 16), ([0.5] * 8 + [0.0] * 8, 40, 8)],
)
def test_the_interval_holds_the_true_k_max(rates: list[float], trials: int, truth: int) -> None:
    """At least 95 times in 100, also where every rate is near the threshold, or each distance has a single trial."""
    draws = np.random.default_rng(0).binomial(trials, rates, (200, len(rates)))
    found = [k_max(dict(enumerate(map(int, wins), start=1)), trials, 0.2) for wins in draws]
    assert sum(one.low <= truth <= one.high for one in found if one.low is not None and one.high is not None) >= 190
