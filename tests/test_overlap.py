"""Text that is tuned on is not measured, whatever it is called and however it is set."""

import gzip
import json
import random
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from position_interpolation.app import launch
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.registry import measurements
from position_interpolation.text import overlap
from position_interpolation.text.corpora import Document, Documents
from position_interpolation.tuning.extension import prepare

KNOWN = "document test-1 of test is measured, but tuned on as b-1 of b: do"
LICENCE = "This eBook is for the use of anyone anywhere at no cost and with almost no restrictions whatsoever. " * 20


def prose(seed: int, words: int = 3_000) -> str:
    generator = random.Random(seed)
    known = ["".join(generator.choices("abcdefghilmnoprstu", k=generator.randint(2, 9))) for _ in range(900)]
    return " ".join(generator.choice(known) + generator.choice(("", "", "", ",", ".")) for _ in range(words))


def corpus(name: str, *texts: str) -> Documents:
    return Documents(name, "local", tuple(Document(f"{name}-{number}", text) for number, text in enumerate(texts)))


def found(measured: str, seen: str, folder: Path) -> str | None:
    """What is said of a document, among others that nobody has seen; None if it may be measured."""
    own = overlap.pieces(corpus("test", prose(90), measured), folder)
    others = [overlap.pieces(each, folder) for each in (corpus("a", prose(91)), corpus("b", prose(92), seen))]
    try:
        overlap.refuse(own, overlap.joined(others), "do")
    except UsageError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text,
        lambda text: "\r\n".join(textwrap.wrap(text.upper(), 50)),
        lambda text: text.replace(",", " \u2014 ").replace(".", "!?"),
        lambda text: LICENCE + text + LICENCE,
        lambda text: text[len(text) // 3 :],
        lambda text: text[3_000:6_000],  # a chapter
        lambda text: prose(5, 9_000) + text + prose(6, 9_000),  # one of a collection
    ],
    ids=["same", "set otherwise", "other punctuation", "with a licence", "most of it", "a chapter", "in a collection"],
)
def test_a_text_is_known_by_its_words(changed: Callable[[str], str], tmp_path: Path) -> None:
    text = prose(1)
    assert found(changed(text), text, tmp_path) == KNOWN
    assert found(text, changed(text), tmp_path) == KNOWN


@pytest.mark.parametrize(
    "text",
    [
        "日本国民は、正当に選挙された国会における代表者を通じて行動し、" * 3,
        "One line.",
        "7",
        "👩‍🚀🌍🚀 " * 99,
        "{}()[]; " * 400,
    ],
)
def test_short_texts_and_those_without_spaces_are_known_too(text: str, tmp_path: Path) -> None:
    assert found(text, f" {text}\n", tmp_path) == KNOWN
    assert not found(text, text[::-1] + "x", tmp_path)


def rows(text: str, width: int) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)]


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize("width", [20, 60, 90, 200, 500])
def test_a_text_is_known_in_rows_of_any_length(width: int, shuffled: bool, tmp_path: Path) -> None:
    """On either side or, set in other rows, on both. Where rows are shuffled, they need about 50 words."""
    text, measured, others = prose(1), rows(prose(1), 1_100), rows(prose(1), max(250, width) if shuffled else width)
    if shuffled:
        random.Random(0).shuffle(others)
    apart = [prose(2), *rows(prose(3), width)]
    seen = overlap.pieces(corpus("seen", *apart, *others), tmp_path)
    for whole in ([text], measured):
        own = overlap.pieces(corpus("test", *whole), tmp_path)
        with pytest.raises(UsageError, match=r"test-0 of test.* is measured, but tuned on as seen-\d+ of seen"):
            overlap.refuse(own, seen, "do")
        if not shuffled:
            with pytest.raises(UsageError, match=r"seen-\d+ of seen.* is measured, but tuned on as test-\d+ of test"):
                overlap.refuse(seen, own, "do")
        overlap.refuse(own, overlap.pieces(corpus("seen", *apart), tmp_path), "do")


def test_texts_that_share_a_licence_a_phrase_or_nothing_are_apart(tmp_path: Path) -> None:
    assert not found(LICENCE + prose(1), LICENCE + prose(2), tmp_path)
    assert not found(prose(1)[:8_000] + prose(2), prose(1)[:8_000] + prose(3), tmp_path)
    assert not found("", "", tmp_path)
    assert not found("...", "!!!", tmp_path)


def test_what_is_kept_is_what_is_cut(tmp_path: Path) -> None:
    whole = corpus("test", prose(1), "", prose(2))
    first, again = (overlap.pieces(whole, tmp_path) for _ in range(2))
    for kept in ("hashes", "sizes", "owners"):
        assert getattr(first, kept).tolist() == getattr(again, kept).tolist()
    assert first.names == ("test-0 of test", "test-1 of test", "test-2 of test") * 2


# Every task that reads documents


def written(folder: Path, **texts: list[dict[str, str]]) -> None:
    for name, rows in texts.items():
        place = folder / "data" / f"{name.replace('__', '/')}.jsonl.gz"
        place.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(place, "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps({"id": f"{name}-{number}", **row}) + "\n" for number, row in enumerate(rows))


@pytest.mark.parametrize("task", ["pg19_short", "positions", "govreport"])
def test_no_task_measures_what_it_was_tuned_on(task: str, tmp_path: Path) -> None:
    """Its beginning, that is, which is all that these tasks read of a long document."""
    text, rest = prose(1)[:2_000], prose(3, 9_000)
    pair = {"report": text.upper() + rest, "summary": "Short."}
    written(tmp_path, books__train=[{"text": text + prose(2)}], pg19__test=[{"text": "A preface. " + text + rest}],
            govreport__crs_gao=[pair, pair], govreport__govreport=[pair])  # fmt: skip
    launch.register()
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    asked = ["model=smoke", "method=pi", "context=x4", "train.steps=2", f"task={task}", "data=local",
             f"data.root={tmp_path / 'data'}", "++train.mixture={books: 1, mathematics: 0, recall: 0}",
             *places]  # fmt: skip
    more = {
        "pg19_short": ["task.truncate_factor=4"],
        "govreport": ["task.tune=false", "data.corpora.govreport.part=all"],
    }
    config = launch.typed(launch.composed([*asked, *more.get(task, [])]))
    with pytest.raises(UsageError, match=r"is measured, but tuned on as books__train-0 of books.*choose others by"):
        next(measurements(prepare(config, lambda _: None)))
