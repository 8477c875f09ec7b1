"""Recall windows: exact lengths, no question without its statement, distances over the whole window."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from position_interpolation.text import recall
from position_interpolation.text.encoding import encode
from position_interpolation.text.recall import RecallWindows

PROSE = (
    "And it came to pass in those days, that there went out a decree from Caesar Augustus, that all the world should "
    "be taxed. And all went to be taxed, every one into his own city. And Joseph also went up from Galilee, out of the "
    "city of Nazareth, into Judaea, unto the city of David, which is called Bethlehem. "
)
OWNER = "|".join(re.escape(owner) for owner in recall.OWNERS if owner)
SUBJECT = f"({'|'.join(map(re.escape, recall.SUBJECTS))})((?:{OWNER})?)"
# A question at the end of a document, the answer being its last word.
ASKED = re.compile(
    rf"(?:What is|Which was|Tell me|Now recall:|what is) (?:the )?{SUBJECT}(?:[?.]| =).*?(\w+)\.?$", re.S
)


@pytest.fixture(scope="module")
def prose(tokenizer: Any) -> NDArray[np.uint32]:
    return np.asarray(([*encode(tokenizer, PROSE), tokenizer.eos_token_id]) * 40, np.uint32)


@pytest.fixture(params=[63, 255, 1023])
def windows(request: pytest.FixtureRequest, tokenizer: Any, prose: NDArray[np.uint32]) -> RecallWindows:
    return RecallWindows(0, prose, tokenizer, request.param)


def keys(text: str) -> list[str]:
    """Numbers of three digits and more, in order."""
    return re.findall(r"\d{3,}", text)


def distances(tokenizer: Any, ids: list[int]) -> list[int]:
    """Tokens between the first and the last mention of each number of a document, if it is no echo."""
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts: dict[str, list[int]] = {}
    place = 0
    while place < len(tokens):
        end = place
        while end < len(tokens) and tokens[end].isdigit():
            end += 1
        if end - place >= 3:
            starts.setdefault("".join(tokens[place:end]), []).append(place)
        place = max(end, place + 1)
    return [places[-1] - places[0] for places in starts.values() if 2 <= len(places) <= 3]


def test_every_window_has_exactly_its_length(windows: RecallWindows, tokenizer: Any) -> None:
    for number in range(100):
        window = windows[number]
        assert window.shape == (windows.length,)
        assert tokenizer.bos_token_id not in window


def test_the_windows_end_says_nothing_of_a_documents_end(windows: RecallWindows, tokenizer: Any) -> None:
    """A model that saw every window end with a document wrote 604 for 60494 where the answer filled the window."""
    ends = [windows[number][-6:] for number in range(300)]
    for place in range(-6, 0):
        closed = np.mean([window[place] == tokenizer.eos_token_id for window in ends])
        assert closed < 0.2, place
    last = [tokenizer.decode(window[-1:]) for window in ends]
    assert 0.1 < np.mean([token.isdigit() for token in last]) < 0.9


@given(length=st.integers(1, 300), number=st.integers(0, 10**6))
def test_any_length_can_be_made(tokenizer: Any, length: int, number: int) -> None:
    prose = np.asarray(encode(tokenizer, PROSE), np.uint32)
    assert len(RecallWindows(3, prose, tokenizer, length)[number]) == length


def test_no_question_stands_without_its_statement(windows: RecallWindows, tokenizer: Any) -> None:
    """The number asked for last in a document has been stated before, in the same document, of the same subject."""
    asked = 0
    for number in range(300):
        for ids in windows.documents(number):
            text = tokenizer.decode(ids[:-1])
            match = ASKED.search(text[text.rfind("What is the", 0, -1) if "What is the" in text else 0 :])
            if match is None:
                continue
            subject, owner, key = match.groups()
            before = text[: text.rfind(key)]
            assert f"{subject}{owner}" in before, text
            assert key in before[: before.rfind(f"{subject}{owner}")], text
            asked += 1
    assert asked > 20


def test_what_a_list_asks_for_again_is_what_it_stated(tokenizer: Any, prose: NDArray[np.uint32]) -> None:
    windows = RecallWindows(0, prose, tokenizer, 255)
    checked = 0
    for number in range(300):
        for ids in windows.documents(number):
            said = re.findall(rf"({'|'.join(recall.NAMES)})(?: has|:| =| is) (\w+)", tokenizer.decode(ids))
            if len(said) < 4:
                continue
            half = len(said) // 2
            assert sorted(said[:half]) == sorted(said[half:]), tokenizer.decode(ids)
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("length", [255, 1023, 4095])
def test_distances_reach_over_the_whole_window_whatever_its_length(
    tokenizer: Any, prose: NDArray[np.uint32], length: int
) -> None:
    """Each quarter of the window has its share of the questions; the last has less, for questions need room too."""
    windows = RecallWindows(0, prose, tokenizer, length)
    found = [
        distance for number in range(250) for ids in windows.documents(number) for distance in distances(tokenizer, ids)
    ]
    shares = np.histogram(np.array(found) / length, bins=[0, 0.25, 0.5, 0.75, 1])[0] / len(found)
    assert shares[:3].min() > 0.15, shares
    assert shares[3] > 0.08, shares
    assert shares.max() < 0.45, shares


def test_a_window_depends_on_the_seed_and_its_number_alone(tokenizer: Any, prose: NDArray[np.uint32]) -> None:
    one, same, other = (RecallWindows(seed, prose, tokenizer, 255) for seed in (0, 0, 1))
    assert np.array_equal(one[7], same[7])
    assert not np.array_equal(one[7], one[8])
    assert not np.array_equal(one[7], other[7])
    assert one.sha256() == same.sha256() != other.sha256()


def test_the_fingerprint_sees_other_prose(tokenizer: Any, prose: NDArray[np.uint32]) -> None:
    other = np.roll(prose, 5)
    assert RecallWindows(0, prose, tokenizer, 255).sha256() != RecallWindows(0, other, tokenizer, 255).sha256()


def test_the_tests_own_words_are_unseen() -> None:
    """Neither the passkey's wording nor what its filler says of grass, sky and sun."""
    made = " ".join(
        (*recall.SUBJECTS, *recall.STATEMENTS, *recall.QUESTIONS, *recall.THINGS, *recall.QUALITIES, *recall.ASIDES)
    ).lower()
    for words in (
        "grass",
        "green",
        "sky",
        "blue",
        "sun ",
        "yellow",
        "here we go",
        "there and back",
        "pass key",
        "quiz",
    ):
        assert words not in made, words
