"""Sliding-window perplexity against a plain implementation that shares nothing with it, and its economy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.perplexity.losses import (
    Tokenised,
    long_enough,
    plans,
    positions,
    token_losses,
    tokenise,
)
from position_interpolation.tasks.perplexity.measure import aggregate
from position_interpolation.tasks.perplexity.windows import PROTOCOLS, Scored, perplexity
from position_interpolation.text.corpora import Document, Documents

WINDOW, STRIDE, BOS = 32, 8, 0
# One window holds 31 tokens after BOS, 32 without: shorter than, exactly and just above either, and longer.
LENGTHS = (2, 3, 9, 30, 31, 32, 33, 34, 39, 40, 41, 64, 90)


def corpus_of(*lengths: int) -> Tokenised:
    generator = np.random.default_rng(0)
    return {str(number): generator.integers(3, 4096, length) for number, length in enumerate(lengths)}


def score(
    model: Any,
    corpus: Tokenised,
    folder: Path,
    *,
    bos: int | None = BOS,
    overlapping: bool = False,
    window: int = WINDOW,
    sample: tuple[int, int] | None = None,
    **options: Any,
) -> list[Scored]:
    planned = plans(corpus, window, STRIDE, bos=bos is not None, overlapping=overlapping, sample=sample)
    usual = {"tokens_per_forward": 8 * WINDOW}
    return token_losses(model, corpus, planned, bos=bos, folder=folder, **{**usual, **options})


def planned_positions(corpus: Tokenised, bos: int | None) -> int:
    planned = plans(corpus, WINDOW, STRIDE, bos=bos is not None, sample=None)
    return sum(positions(document, bos) for document in planned)


def counted_rows(model: Any) -> tuple[list[int], Any]:
    """Rows of hidden state that the head is applied to, and the hook to remove afterwards."""
    rows: list[int] = []
    return rows, model.lm_head.register_forward_hook(lambda _, inputs, output: rows.append(output[..., 0].numel()))


# The plain implementation


@torch.inference_mode()
def every_loss(model: Any, tokens: list[int], bos: int | None) -> list[list[tuple[int, float]]]:
    """For each window, (token's place in the document, its loss) of all tokens that have one."""
    windows = []
    start = 0
    while True:
        room = WINDOW if bos is None else WINDOW - 1
        inside = tokens[start : start + room]
        front = [] if bos is None else [bos]
        log_probabilities = model(torch.tensor([front + inside])).logits[0].double().log_softmax(-1)
        windows.append(
            [
                (start + place, -float(log_probabilities[place + len(front) - 1, token]))
                for place, token in enumerate(inside)
                if place + len(front) > 0
            ]
        )
        if start + len(inside) >= len(tokens):
            return windows
        start += STRIDE


def plain_perplexity(model: Any, documents: list[list[int]], bos: int | None, protocol: str) -> float:
    """Perplexity as the README words each protocol."""
    token_values: list[float] = []
    window_means: list[float] = []
    document_means: list[float] = []
    first_windows: list[float] = []
    overlapping: list[float] = []
    for tokens in documents:
        seen: set[int] = set()
        of_document: list[float] = []
        for number, window in enumerate(every_loss(model, tokens, bos)):
            fresh = [loss for place, loss in window if place not in seen]
            seen |= {place for place, _ in window}
            of_document += fresh
            window_means.append(float(np.mean(fresh)))
            overlapping += [loss for _, loss in window]
            if number == 0:
                first_windows += fresh
        assert len(of_document) == len(tokens) - (bos is None)
        token_values += of_document
        document_means.append(float(np.mean(of_document)))
    values = {
        "token": token_values,
        "window": window_means,
        "document": document_means,
        "truncated": first_windows,
        "overlapping": overlapping,
    }[protocol]
    return float(np.exp(np.mean(values)))


@pytest.mark.parametrize("bos", [BOS, None])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_agrees_with_the_plain_implementation(protocol: str, bos: int | None, llama: Any, tmp_path: Path) -> None:
    corpus = corpus_of(*LENGTHS)
    scored = score(llama, corpus, tmp_path, bos=bos, overlapping=protocol == "overlapping")
    plain = [tokens.tolist() for tokens in corpus.values()]
    for length, document, tokens in zip(LENGTHS, scored, plain, strict=True):
        found = perplexity([document], protocol, samples=0).value
        expected = plain_perplexity(llama, [tokens], bos, protocol)
        assert found == pytest.approx(expected, rel=1e-4), f"document of {length} tokens"
    found = perplexity(scored, protocol, samples=0).value
    assert found == pytest.approx(plain_perplexity(llama, plain, bos, protocol), rel=1e-4)


def test_the_protocols_are_different_numbers(llama: Any, tmp_path: Path) -> None:
    """Otherwise the agreement above would show nothing."""
    corpus = corpus_of(*LENGTHS)
    once = score(llama, corpus, tmp_path / "once")
    again = score(llama, corpus, tmp_path / "overlapping", overlapping=True)
    values = [
        perplexity(again if protocol == "overlapping" else once, protocol, samples=0).value for protocol in PROTOCOLS
    ]
    assert np.diff(sorted(values)).min() > 1e-3 * min(values)


def test_a_longer_window_gives_each_token_more_context(llama: Any, tmp_path: Path) -> None:
    """The first window's losses are the same at every W; what follows sees further back."""
    corpus = corpus_of(64)
    short = score(llama, corpus, tmp_path / "short")[0].losses
    long = score(llama, corpus, tmp_path / "long", window=64)[0].losses
    np.testing.assert_allclose(short[:31], long[:31], rtol=1e-4)
    assert abs(short[31:] - long[31:]).max() > 0.01


# Cheap, not different


@pytest.mark.parametrize("overlapping", [False, True])
def test_losses_do_not_depend_on_how_many_windows_share_a_forward(
    overlapping: bool, llama: Any, tmp_path: Path
) -> None:
    corpus = corpus_of(90, 31, 200)
    one = score(llama, corpus, tmp_path / "1", overlapping=overlapping, tokens_per_forward=1)
    many = score(llama, corpus, tmp_path / "8", overlapping=overlapping, tokens_per_forward=5 * WINDOW)
    for alone, together in zip(one, many, strict=True):
        np.testing.assert_allclose(alone.losses, together.losses, rtol=1e-5, atol=1e-5)
        assert alone.counts.tolist() == together.counts.tolist()


def test_the_head_is_applied_to_scored_rows_only(llama: Any, tmp_path: Path) -> None:
    corpus = corpus_of(*LENGTHS)
    rows, hook = counted_rows(llama)
    scored = score(llama, corpus, tmp_path)
    hook.remove()
    assert sum(rows) == sum(len(document.losses) for document in scored) == sum(LENGTHS)


def test_progress_counts_every_planned_position_also_of_documents_read_back(llama: Any, tmp_path: Path) -> None:
    corpus = corpus_of(*LENGTHS)
    for _ in range(2):
        told: list[int] = []
        score(llama, corpus, tmp_path, progress=told.append)
        assert sum(told) == planned_positions(corpus, BOS)
    # By hand: 33 tokens are a window of 32 positions, then BOS and tokens 8 .. 32.
    assert planned_positions(corpus_of(33), BOS) == 32 + 26
    assert planned_positions(corpus_of(33), None) == 32 + 25


# Resuming


def test_finished_documents_are_never_scored_again(llama: Any, tmp_path: Path) -> None:
    corpus = corpus_of(90, 40, 64)
    expected = score(llama, corpus, tmp_path)
    files = {len(np.load(path)["losses"]): path for path in tmp_path.glob("*.npz")}
    assert sorted(files) == [40, 64, 90]
    files[40].unlink()
    rows, hook = counted_rows(llama)
    resumed = score(llama, corpus, tmp_path)
    hook.remove()
    assert sum(rows) == 40
    assert_same(resumed, expected)
    assert_same(score(None, corpus, tmp_path), expected)  # all is there: no model is needed


def test_a_run_cut_off_goes_on_with_the_next_document(llama: Any, tmp_path: Path) -> None:
    corpus = corpus_of(90, 40, 64)
    expected = score(llama, corpus, tmp_path / "whole")

    def cut_off(module: Any, inputs: Any) -> None:
        if len(list((tmp_path / "cut").glob("*.npz"))) == 2:
            raise KeyboardInterrupt

    hook = llama.lm_head.register_forward_pre_hook(cut_off)
    with pytest.raises(KeyboardInterrupt):
        score(llama, corpus, tmp_path / "cut")
    hook.remove()
    rows, counter = counted_rows(llama)
    resumed = score(llama, corpus, tmp_path / "cut")
    counter.remove()
    assert sum(rows) == 64
    assert_same(resumed, expected)
    kept = {path.name.partition(".")[2] for path in (tmp_path / "cut").iterdir()}
    assert kept == {"npz", "npz.sha256"}  # nothing half-written stays


def test_more_documents_in_another_order_cost_what_is_new(llama: Any, tmp_path: Path) -> None:
    few, many = corpus_of(90, 40), corpus_of(90, 40, 64)
    turned = dict(reversed(many.items()))
    first = score(llama, few, tmp_path)
    rows, counter = counted_rows(llama)
    assert_same(score(llama, turned, tmp_path)[1:], first[::-1])
    assert sum(rows) == 64
    score(llama, few, tmp_path, window=WINDOW // 2)  # other windows have other losses
    assert sum(rows) == 64 + 90 + 40
    assert_same(score(llama, few, tmp_path, again=True), first)
    counter.remove()
    assert sum(rows) == 64 + 2 * (90 + 40)


def assert_same(left: list[Scored], right: list[Scored]) -> None:
    for one, other in zip(left, right, strict=True):
        assert one.losses.tolist() == other.losses.tolist()
        assert one.counts.tolist() == other.counts.tolist()


# Documents to tokens


def documents_of(*texts: str) -> Documents:
    items = tuple(Document(f"id-{number}", text) for number, text in enumerate(texts))
    return Documents("prose", "local", items)


@pytest.fixture
def encoded(tokenizer: Any) -> Callable[[str], list[int]]:
    return lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]


def test_tokens_are_the_text_and_nothing_else(tokenizer: Any, encoded: Callable[[str], list[int]]) -> None:
    texts = (
        "In the beginning God created the heaven and the earth.",
        "And the earth was without form, and void;",
    )
    corpus = tokenise(documents_of(*texts), tokenizer, None, None)
    assert list(corpus) == ["id-0", "id-1"]
    assert [tokens.tolist() for tokens in corpus.values()] == [encoded(text) for text in texts]
    assert [tokenizer.decode(tokens) for tokens in corpus.values()] == list(texts)
    assert sum(map(len, corpus.values())) == len(encoded(texts[0])) + len(encoded(texts[1]))


def test_short_documents_are_left_out_and_long_ones_cut(tokenizer: Any, encoded: Callable[[str], list[int]]) -> None:
    text = "The king spoke to the people of the city. " * 40
    corpus = tokenise(documents_of("Amen.", text, ""), tokenizer, minimum=100, truncate=150)
    assert list(corpus) == ["id-1"]
    assert corpus["id-1"].tolist() == encoded(text)[:150]
    assert sum(map(len, corpus.values())) == 150


def test_the_first_documents_that_are_long_enough_are_taken(tokenizer: Any) -> None:
    text = "The king spoke to the people of the city. " * 40
    documents = documents_of("Amen.", text, "Selah.", text + text, text)
    assert [item.id for item in long_enough(documents, tokenizer, 300, 2).items] == ["id-1", "id-3"]
    assert [item.id for item in long_enough(documents, tokenizer, None, 2).items] == ["id-0", "id-1"]
    assert long_enough(documents, tokenizer, 300, None) == documents


def test_a_document_is_judged_by_its_whole_length_even_if_little_of_it_is_kept(tokenizer: Any) -> None:
    text = "The king spoke to the people of the city. " * 40
    corpus = tokenise(documents_of(text), tokenizer, minimum=300, truncate=5)
    assert sum(map(len, corpus.values())) == 5


def test_a_corpus_without_a_long_enough_document_is_refused(tokenizer: Any) -> None:
    with pytest.raises(UsageError, match=r"'prose' has 50 tokens.*minimum"):
        tokenise(documents_of("Amen.", "Selah."), tokenizer, minimum=50, truncate=None)


def test_each_document_leaves_its_mean_over_tokens_and_over_windows() -> None:
    """Two windows that score 3 tokens and 1: losses 1, 2, 3 and 6 are 3 a token, and (2 + 6) / 2 = 4 a window."""
    document = Scored(np.array([1.0, 2.0, 3.0, 6.0]), np.array([3, 1]))
    data = {"name": "books", "source": "local", "sha256": "0", "ids": ["a"]}
    found = aggregate([document], ["token", "window"], 0, data, window=4, stride=1)
    single = {item.metric: item for item in found if item.metric.startswith("document_")}
    assert {metric: item.estimate.value for metric, item in single.items()} == {
        "document_loss": 3.0, "document_window_loss": 4.0,
    }  # fmt: skip
    assert single["document_window_loss"].protocol == "window"
    assert [item.estimate.value for item in found if item.metric == "perplexity"] == pytest.approx(np.exp([3, 4]))
