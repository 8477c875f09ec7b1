"""A sample of windows estimates the full evaluation without bias, and its interval covers it as often as it says."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from position_interpolation.models import loading
from position_interpolation.settings.schema import Corpus, Data, Model
from position_interpolation.tasks.perplexity.losses import plans, positions, token_losses, tokenise
from position_interpolation.tasks.perplexity.sampling import drawn, every_window, of_all_windows
from position_interpolation.tasks.perplexity.windows import Scored, Span, perplexity, plan, ratio
from position_interpolation.text import corpora

# Documents of 40, 7 and 3 windows: most are left out, some, and none can be.
DOCUMENTS = [plan(tokens, 64, 16, bos=True) for tokens in (63 + 39 * 16, 63 + 5 * 16 + 3, 63 + 2 * 16)]


def losses(seed: int) -> list[Scored]:
    """Every window's token losses, levels drifting along each document."""
    generator = np.random.default_rng(seed)
    made = []
    for spans in DOCUMENTS:
        levels = 2 + np.sin(np.arange(len(spans)) / 5) + generator.normal(0, 0.3, len(spans))
        counts = np.array([span.scored for span in spans])
        made.append(Scored(generator.gamma(4.0, np.repeat(levels, counts) / 4), counts))
    return made


def sampled(full: list[Scored], windows: int, seed: int, documents: list[list[Span]] = DOCUMENTS) -> list[Scored]:
    """What would have been scored, had only a sample of the windows been run."""
    found = []
    for spans, scored, chosen in zip(documents, full, drawn(documents, windows, seed), strict=True):
        pieces = np.split(scored.losses, np.cumsum(scored.counts)[:-1])
        picked = [spans.index(span) for span in chosen.spans]
        found.append(Scored(np.concatenate([pieces[i] for i in picked]), scored.counts[picked], chosen.weights))
    return found


def test_first_and_last_windows_are_always_run_and_the_rest_by_length() -> None:
    long, short, whole = drawn(DOCUMENTS, 20, seed=0)
    assert (len(long.spans), len(short.spans), len(whole.spans)) == (2 + 17, 2 + 2, 3)  # 38, 5 and 1 lie between
    for spans, chosen in zip(DOCUMENTS, (long, short, whole), strict=True):
        assert (chosen.spans[0], chosen.spans[-1]) == (spans[0], spans[-1])
        assert chosen.spans == sorted(set(chosen.spans), key=lambda span: span.start)
        assert chosen.weights.sum() == pytest.approx(len(spans))  # together they stand for every window
    assert drawn(DOCUMENTS, 20, seed=0)[0].spans == long.spans
    assert drawn(DOCUMENTS, 20, seed=1)[0].spans != long.spans


@pytest.mark.parametrize("protocol", ["token", "window", "document", "truncated"])
def test_a_sample_as_large_as_the_document_is_the_full_evaluation(protocol: str) -> None:
    full = losses(0)
    assert [len(each.counts) for each in sampled(full, 10_000, 0)] == [len(spans) for spans in DOCUMENTS]
    assert perplexity(sampled(full, 10_000, 0), protocol, 0) == perplexity(full, protocol, 0)
    assert of_all_windows(full).low == of_all_windows(full).high == perplexity(full, "token", 0).value


@pytest.mark.parametrize("protocol", ["token", "window"])
def test_sums_are_unbiased(protocol: str) -> None:
    full = losses(1)
    for document in range(len(DOCUMENTS)):
        total, weight = ratio(full[document], protocol)
        estimates = [ratio(sampled(full, 12, seed)[document], protocol) for seed in range(2000)]
        spread = np.std([estimate[0] for estimate in estimates]) / math.sqrt(len(estimates))
        assert np.mean([estimate[0] for estimate in estimates]) == pytest.approx(total, abs=4 * spread + 1e-9)
        assert all(estimate[1] == pytest.approx(weight) for estimate in estimates)


def test_the_interval_covers_the_full_evaluation_as_often_as_it_says() -> None:
    full = losses(2)
    truth = perplexity(full, "token", 0).value
    found = [of_all_windows(sampled(full, 24, seed)) for seed in range(500)]
    covered = sum(each.low <= truth <= each.high for each in found if each.low is not None and each.high is not None)
    assert 0.9 <= covered / len(found) <= 0.99
    assert all(each.low < each.high for each in found if each.low is not None and each.high is not None)


@pytest.mark.parametrize("windows", [4, 8])
def test_of_few_drawn_windows_it_covers_as_well(windows: int) -> None:
    """Two or more a document: a spread from so few is uncertain itself, which Student's t allows for."""
    covered = 0
    for number in range(400):
        full = losses(number)
        found = of_all_windows(sampled(full, windows, number))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= perplexity(full, "token", 0).value <= found.high
    assert covered / 400 >= 0.92


def test_a_document_without_windows_between_needs_no_sample() -> None:
    spans = plan(40, 64, 16, bos=True)
    assert drawn([spans], 5, seed=0)[0].spans == every_window(spans).spans == spans


def test_only_drawn_windows_are_run_and_kept(llama: Any, tmp_path: Path) -> None:
    """On a model: the drawn windows have the losses of the full run, and nothing else is computed."""
    tokens = np.random.default_rng(0).integers(3, 4096, 400)
    corpus = {"a": tokens}
    everything = plans(corpus, 32, 8, bos=True, sample=None)
    some = plans(corpus, 32, 8, bos=True, sample=(5, 0))
    assert positions(some[0], 0) == 7 * 32 - (32 - 1 - (400 - some[0].spans[-1].start))
    full = token_losses(llama, corpus, everything, bos=0, tokens_per_forward=64, folder=tmp_path / "full")[0]
    part = token_losses(llama, corpus, some, bos=0, tokens_per_forward=64, folder=tmp_path / "part")[0]
    again = token_losses(None, corpus, some, bos=0, tokens_per_forward=64, folder=tmp_path / "part")[0]

    pieces = np.split(full.losses, np.cumsum(full.counts)[:-1])
    picked = [everything[0].spans.index(span) for span in some[0].spans]
    np.testing.assert_allclose(part.losses, np.concatenate([pieces[i] for i in picked]), rtol=1e-4)
    assert again.weights is not None
    assert again.weights.tolist() == some[0].weights.tolist()


def test_on_the_shipped_model_the_interval_covers_the_full_evaluation(tmp_path: Path) -> None:
    """Real losses of real text, which are neither independent nor alike: at least 90 of 100 samples must cover."""
    tiny = Model(name="tiny", rung="tiny", source="packaged", location="tiny", window=256)
    model = loading.load(str(loading.folder(tiny, tmp_path)))
    data = Data("embedded", None, {"books": Corpus(collection="king_james", part="test")})
    tokenizer = loading.tokenizer(tiny, tmp_path)
    corpus = tokenise(corpora.load(data, "books", 3), tokenizer, 1024, 1024)
    spans = [plan(len(tokens), 128, 16, bos=True) for tokens in corpus.values()]
    everything = [every_window(each) for each in spans]
    full = token_losses(model, corpus, everything, bos=0, tokens_per_forward=4096, folder=tmp_path)
    truth, covered = perplexity(full, "token", 0).value, 0
    for seed in range(100):
        found = of_all_windows(sampled(full, 45, seed, spans))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high

    assert covered >= 90
