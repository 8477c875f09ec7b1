"""The questions of Table 5: each set's rows in the common zero-shot form, samples that stay, bad rows named."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.tasks.benchmarks import questions
from position_interpolation.tasks.benchmarks.questions import SETS, Question, load
from position_interpolation.text import corpora

Row = dict[str, Any]
ROWS: dict[str, Row] = {
    "boolq": {"id": "b", "title": "Sky", "passage": "It is blue.", "question": "is the sky blue", "answer": True},
    "piqa": {"id": "p", "goal": "open a jar", "sol1": "turn the lid", "sol2": "eat the lid ", "label": 0},
    "race_middle": {
        "id": "m", "article": "Tom has a cat.", "question": "What has Tom?",
        "options": ["a dog", "a cat", "a hen", "a"], "answer": "B",
    },
    "race_high": {
        "id": "h", "article": "Tom has a cat.", "question": "Tom's animal is  _  .",
        "options": ["a dog", "a hen", "a pig", "a cat"], "answer": "D",
    },
    "winogrande": {
        "id": "w", "sentence": "The cup is not in the bag as the _ is too big.", "option1": "cup", "option2": "bag",
        "answer": "1",
    },
}  # fmt: skip


def source(folder: Path, **rows: list[Row]) -> Data:
    """data=local with these sets."""
    for name, own in rows.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in own)
    return Data(source="local", root=str(folder), corpora={name: Corpus(files=[f"{name}.jsonl.gz"]) for name in rows})


def posed(folder: Path, name: str, **changes: Any) -> Question:
    return load(source(folder, **{name: [{**ROWS[name], **changes}]}), name).items[0]


def test_boolq_asks_for_no_or_yes_below_the_passage(tmp_path: Path) -> None:
    context = "Sky -- It is blue.\nQuestion: is the sky blue?\nAnswer:"
    assert posed(tmp_path, "boolq") == Question("b", (context, context), (" no", " yes"), 1)
    assert posed(tmp_path, "boolq", answer=False).answer == 0
    assert posed(tmp_path, "boolq", question="is the sky blue?").contexts[0] == context


def test_piqa_continues_the_goal_by_two_solutions(tmp_path: Path) -> None:
    context = "Question: open a jar\nAnswer:"
    assert posed(tmp_path, "piqa") == Question("p", (context, context), (" turn the lid", " eat the lid"), 0)


def test_race_asks_below_the_article(tmp_path: Path) -> None:
    context = "Article: Tom has a cat.\nQuestion: What has Tom?\nAnswer:"
    expected = Question("m", (context,) * 4, (" a dog", " a cat", " a hen", " a"), 1)
    assert posed(tmp_path, "race_middle") == expected


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Tom's animal is  _  .", "Tom's animal is"),  # options continue a statement that its blank ends
        ("Tom's animal is ____", "Tom's animal is"),
        ("_  is Tom's animal.", "Question: _  is Tom's animal.\nAnswer:"),
        ("Tom has a  _  at home.", "Question: Tom has a  _  at home.\nAnswer:"),
        ("_ likes  _  .", "Question: _ likes  _  .\nAnswer:"),
    ],
)
def test_race_statements_with_a_blank(tmp_path: Path, question: str, asked: str) -> None:
    made = posed(tmp_path, "race_high", question=question)
    assert made.contexts == (f"Article: Tom has a cat.\n{asked}",) * 4
    assert made.answer == 3


def test_winogrande_scores_what_follows_the_filled_blank(tmp_path: Path) -> None:
    before = "The cup is not in the bag as the "
    expected = Question("w", (before + "cup", before + "bag"), (" is too big.", " is too big."), 0)
    assert posed(tmp_path, "winogrande") == expected


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("boolq", {"answer": "yes"}), ("boolq", {"passage": None, "question": None}), ("piqa", {"label": 2}),
        ("piqa", {"sol2": "  "}), ("race_middle", {"options": ["a", "b", "c"]}), ("race_middle", {"answer": "E"}),
        ("race_high", {"answer": "AB"}), ("winogrande", {"sentence": "no blank"}), ("winogrande", {"answer": "3"}),
        ("winogrande", {"sentence": "a _ and a _."}), ("winogrande", {"sentence": "nothing follows _"}),
    ],
)  # fmt: skip
def test_a_row_that_is_no_question_is_named_in_one_line(tmp_path: Path, name: str, change: Row) -> None:
    data = source(tmp_path, **{name: [ROWS[name], {**ROWS[name], "id": "bad", **change}]})
    with pytest.raises(UsageError, match=f"row 2 of '{name}' in data=local is no question") as refused:
        load(data, name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("piqa", {"label": -1}, "the answer -1 is none of 0, 1; if a test split hides it, take another"),
        ("winogrande", {"answer": ""}, "the answer '' is none of 1, 2; if a test split"),
        ("race_high", {"answer": "E"}, "the answer 'E' is none of A, B, C, D"),
        ("race_high", {"options": "abcd"}, "options 'abcd' instead of a list of 4"),
        ("winogrande", {"sentence": "No blank."}, "sentence 'No blank.' has 0 blanks _ instead of 1"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(tmp_path: Path, name: str, change: Row, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        posed(tmp_path, name, **change)


def test_missing_fields_empty_files_and_repeated_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"row 1 of 'piqa'.*sol2"):
        load(source(tmp_path, piqa=[{"id": 1, "goal": "a", "sol1": "b", "label": 0}]), "piqa")
    with pytest.raises(UsageError, match="holds no question"):
        load(source(tmp_path, piqa=[]), "piqa")
    with pytest.raises(UsageError, match="two questions of id p"):
        load(source(tmp_path, piqa=[ROWS["piqa"]] * 2), "piqa")
    (tmp_path / "piqa.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(UsageError, match=r"piqa\.jsonl\.gz:1 cannot be read"):
        load(Data("local", str(tmp_path), {"piqa": Corpus(files=["piqa.jsonl.gz"])}), "piqa")
    with pytest.raises(UsageError, match="data=embedded has no 'piqa'"):
        load(Data("embedded"), "piqa")


def test_a_sample_is_drawn_by_id_and_grows_with_its_size(tmp_path: Path) -> None:
    rows = [{**ROWS["piqa"], "id": f"p{number}"} for number in range(50)]
    data = source(tmp_path, piqa=rows)
    whole, ten, twenty = load(data, "piqa"), load(data, "piqa", 10), load(data, "piqa", 20)
    assert [item.id for item in whole.items] == [row["id"] for row in rows]
    assert twenty.items[:10] == ten.items
    assert {item.id for item in ten.items} != {f"p{number}" for number in range(10)}
    again = load(source(tmp_path, piqa=rows[::-1]), "piqa", 10)
    assert again == ten, "the order of the file does not matter"


def test_a_record_names_exactly_the_questions_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = source(tmp_path, piqa=[{**ROWS["piqa"], "id": f"p{number}"} for number in range(30)])
    whole, ten = load(data, "piqa").described, load(data, "piqa", 10).described
    assert (whole["name"], whole["source"], whole["ids"]) == ("piqa", "local", None)
    assert len(ten["ids"]) == 10
    assert ten["sha256"] != whole["sha256"] == load(data, "piqa", 30).described["sha256"]
    monkeypatch.setattr(questions, "IDS_LISTED", 9)
    assert load(data, "piqa", 10).described == {**ten, "ids": None}


HUB_ROWS: dict[str, list[Row]] = {
    "boolq": [{"question": "is the sky blue", "passage": "Sky -- It is blue.", "idx": 7, "label": 1}],
    "piqa": [{key: value for key, value in ROWS["piqa"].items() if key != "id"}],
    "race_middle": [{**ROWS["race_middle"], "id": None, "example_id": "middle1.txt"}] * 2,
    "race_high": [{**ROWS["race_high"], "id": None, "example_id": "high73.txt"}],
    "winogrande": [{key: value for key, value in ROWS["winogrande"].items() if key != "id"}],
}


@pytest.mark.parametrize("name", SETS)
def test_hub_rows_become_the_same_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The hub's field names, as its data set cards give them."""
    monkeypatch.setattr(corpora, "rows", lambda data, asked: iter(HUB_ROWS[asked]))
    made = load(Data("hub", corpora={name: Corpus()}), name)
    expected = {
        "boolq": ["boolq-val-7"], "piqa": ["piqa-valid-0"], "race_middle": ["middle1-0", "middle1-1"],
        "race_high": ["high73-0"], "winogrande": ["winogrande-valid-0"],
    }  # fmt: skip
    assert [item.id for item in made.items] == expected[name]
    monkeypatch.undo()
    local = posed(tmp_path, name)
    assert (made.items[0].contexts, made.items[0].choices) == (local.contexts, local.choices)
    assert made.items[0].answer == local.answer
