"""Text to windows: one stream, every window once before any twice, longer runs begin as shorter ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from position_interpolation.settings.errors import UsageError
from position_interpolation.text import encoding, packing
from position_interpolation.text.corpora import Document, Documents
from position_interpolation.text.encoding import encode
from position_interpolation.text.packing import PackedWindows, stream

BOS = 0


def documents_of(*texts: str) -> Documents:
    return Documents("prose", "local", tuple(Document(str(number), text) for number, text in enumerate(texts)))


def counting(length: int, first: int = 1000) -> NDArray[np.uint32]:
    """A stream in which every token tells its place."""
    return np.arange(first, first + length, dtype=np.uint32)


def packed(length: int, *, tokens: int = 1000, window: int = 16, seed: int = 0, bos: int | None = BOS) -> PackedWindows:
    return PackedWindows({"books": counting(tokens)}, {"books": 1.0}, window, length, seed, bos)


def rows(windows: PackedWindows) -> list[list[int]]:
    return [windows[index]["input_ids"].tolist() for index in range(len(windows))]


# The stream


def test_documents_follow_each_other_in_order_each_ended_by_eos(tokenizer: Any, tmp_path: Path) -> None:
    texts = ("In the beginning", "God created the heaven and the earth.", "And the earth was without form")
    tokens = stream(documents_of(*texts), tokenizer, tmp_path)
    ends = np.flatnonzero(tokens == tokenizer.eos_token_id)
    assert len(ends) == 3
    assert ends[-1] == len(tokens) - 1
    assert [tokenizer.decode(part) for part in np.split(tokens, ends + 1)[:3]] == [text + "</s>" for text in texts]
    assert tokenizer.bos_token_id not in tokens


def test_text_is_tokenised_once(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = documents_of("In the beginning", "was the Word")
    first = np.array(stream(documents, tokenizer, tmp_path))

    def refuse(*_: Any) -> list[int]:
        raise AssertionError("tokenised again")

    monkeypatch.setattr(packing, "encode", refuse)
    assert np.array_equal(stream(documents, tokenizer, tmp_path), first)
    with pytest.raises(AssertionError, match="tokenised again"):  # other text is not mistaken for it
        stream(documents_of("In the beginning", "was the word"), tokenizer, tmp_path)


def test_another_tokenizer_does_not_find_the_first_ones_tokens(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = documents_of("In the beginning")
    stream(documents, tokenizer, tmp_path)
    monkeypatch.setattr(packing, "tokenizer_sha256", lambda _: "another")
    monkeypatch.setattr(packing, "encode", lambda *_: [5, 6, 7])
    assert stream(documents, tokenizer, tmp_path).tolist() == [5, 6, 7, tokenizer.eos_token_id]


def test_a_tokenizers_fingerprint_sees_one_more_token(tokenizer: Any) -> None:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    def copied(**marks: str) -> Any:
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        return PreTrainedTokenizerFast(tokenizer_object=backend, **marks)

    other = copied(bos_token="<s>", eos_token="</s>")
    assert encoding.tokenizer_sha256(other) == encoding.tokenizer_sha256(tokenizer)
    assert encoding.tokenizer_sha256(copied(bos_token="<s>")) != encoding.tokenizer_sha256(tokenizer)  # no EOS
    other.add_tokens(["<new>"])
    assert encoding.tokenizer_sha256(other) != encoding.tokenizer_sha256(tokenizer)


def test_digits_are_tokens_of_their_own(tokenizer: Any) -> None:
    assert tokenizer.convert_ids_to_tokens(encode(tokenizer, "key 90210."))[-6:] == [
        "9",
        "0",
        "2",
        "1",
        "0",
        ".",
    ]


# The windows


@pytest.mark.parametrize("window", [2, 16, 64])
def test_a_window_is_bos_and_consecutive_tokens_of_the_stream(window: int) -> None:
    for row in rows(packed(30, window=window)):
        assert len(row) == window
        assert row[0] == BOS
        assert row[1:] == list(range(row[1], row[1] + window - 1))


def test_without_bos_the_stream_fills_the_window() -> None:
    for row in rows(packed(30, bos=None)):
        assert row == list(range(row[0], row[0] + 16))


def test_labels_are_the_ids() -> None:
    item = packed(1)[0]
    assert item["input_ids"].dtype == torch.int64
    assert torch.equal(item["input_ids"], item["labels"])


def test_no_window_comes_twice_before_all_came_once() -> None:
    """1000 tokens hold 66 windows of 15 (and BOS); the 10 left over are never read."""
    starts = [row[1] - 1000 for row in rows(packed(66 * 2 + 20))]
    every = {15 * number for number in range(66)}
    assert set(starts[:66]) == set(starts[66:132]) == every
    assert len(set(starts[132:])) == 20
    assert starts[:66] != sorted(every)
    assert starts[:66] != starts[66:132]


@given(
    short=st.integers(0, 60),
    more=st.integers(0, 60),
    seed=st.integers(0, 2**32 - 1),
    shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_a_longer_run_begins_as_a_shorter_one(short: int, more: int, seed: int, shares: tuple[float, float]) -> None:
    streams = {"books": counting(200), "recall": counting(90, first=5000)}
    mixture = dict(zip(streams, shares, strict=True))
    one = rows(PackedWindows(streams, mixture, 8, short, seed, BOS))
    other = rows(PackedWindows(streams, mixture, 8, short + more, seed, BOS))
    assert other[:short] == one
    assert len(other) == short + more


def test_the_order_comes_from_the_seed() -> None:
    assert rows(packed(40)) == rows(packed(40))
    assert rows(packed(40)) != rows(packed(40, seed=1))


@pytest.fixture(params=[{"books": 0.7, "recall": 0.3}, {"recall": 3.0, "books": 7.0}])
def mixture(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_mixture_gives_each_stream_its_share(mixture: dict[str, float]) -> None:
    """Shares are relative, and belong to names whatever their order."""
    streams = {
        "books": counting(3000),
        "recall": counting(3000, first=10_000),
        "unused": counting(3000, 50_000),
    }
    firsts = np.array([row[1] for row in rows(PackedWindows(streams, mixture, 16, 4000, 0, BOS))])
    assert np.mean(firsts < 10_000) == pytest.approx(0.7, abs=0.03)
    assert np.mean(firsts >= 10_000) == pytest.approx(0.3, abs=0.03)
    assert firsts.max() < 50_000


def test_a_stream_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(UsageError, match="'books' has 14 tokens, fewer than a window of 16"):
        packed(1, tokens=14)
    assert rows(packed(2, tokens=15)) == [[BOS, *range(1000, 1015)]] * 2


# Windows that are made


class Numbered:
    """Windows made one by one: every token of window n is n."""

    def __getitem__(self, number: int) -> NDArray[np.uint32]:
        return np.full(15, number, np.uint32)


def test_windows_that_are_made_come_in_their_order_each_once() -> None:
    streams = {"books": counting(3000), "made": Numbered()}
    windows = rows(PackedWindows(streams, {"books": 0.5, "made": 0.5}, 16, 200, 0, BOS))
    made = [row[1] for row in windows if row[1] == row[2]]
    assert made == list(range(len(made)))
    assert 70 < len(made) < 130
