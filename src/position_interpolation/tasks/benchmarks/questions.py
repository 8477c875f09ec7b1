"""The multiple-choice questions of Table 5 as data: five sets, one row per question, in the common zero-shot form.

The paper names the sets, but no harness, template or scoring rule. Here every question becomes choices that continue a
context, as lm-evaluation-harness poses them:

* BoolQ: passage (title, two hyphens, text), `Question: ...?`, `Answer:`, continued by ` no` or ` yes`;
* PIQA: `Question: <goal>`, `Answer:`, continued by one of two solutions;
* RACE: `Article: ...`, `Question: ...`, `Answer:`, continued by one of four options. About half of RACE's questions are
  statements with a blank: if the blank ends the statement, the options continue the statement up to it, without
  `Question:` and `Answer:`; a blank elsewhere stays where it is, in a question like any other;
* WinoGrande: each option is put into the sentence's blank, and what follows the blank is scored ("partial" scoring).

`data=local` reads the layout of conf/data/local.yaml (fields in `READERS`). `data=hub` reads `aps/super_glue` boolq,
`baber/piqa`, `ehovy/race` and `allenai/winogrande`, whose rows are first given the local field names. Ids agree
between the two except for WinoGrande, whose hub rows have none and are numbered.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from position_interpolation.settings.errors import UsageError, shortened
from position_interpolation.settings.schema import Data
from position_interpolation.text import corpora

# Each set and how many choices its questions have, in the paper's order.
SETS = {"boolq": 2, "piqa": 2, "race_middle": 4, "race_high": 4, "winogrande": 2}
FINAL_BLANK = re.compile(r"^([^_]*[^_\s])\s*_+[\s.?!]*$")  # a statement whose only blank is at its end
LETTERS = ("A", "B", "C", "D")
IDS_LISTED = 500

Row = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One question: choices that continue a context, of which one is right."""

    id: str
    contexts: tuple[str, ...]  # one per choice; all are the same, unless the choice stands inside them (WinoGrande)
    choices: tuple[str, ...]  # the texts that are scored, with the space in front of them
    answer: int  # place of the right choice


@dataclass(frozen=True)
class Questions:
    """A named list of questions with a fingerprint: what a record says about its data."""

    name: str
    source: str
    items: tuple[Question, ...]
    sampled: bool  # whether they are a sample of the set

    @property
    def sha256(self) -> str:
        """Fingerprint of exactly these questions, in order."""
        return corpora.fingerprint(self.items)

    @property
    def described(self) -> dict[str, Any]:
        """What a record keeps. Ids are listed only for a sample that is small enough."""
        listed = self.sampled and len(self.items) <= IDS_LISTED
        ids = [item.id for item in self.items] if listed else None
        return {"name": self.name, "source": self.source, "sha256": self.sha256, "ids": ids}


def load(data: Data, name: str, limit: int | None = None) -> Questions:
    """Load one of `SETS` from the configured source, `local` or `hub`.

    Without a limit all questions are kept, in the order of the source. Otherwise a hash of each id decides which are
    drawn. So the draw is the same on every machine and under every seed, and larger samples contain smaller ones.

    Raises:
        UsageError: the set is missing, or a row of it is no question.
    """
    items: list[Question] = []
    rows: Iterable[Row] = islice(corpora.rows(data, name), data.corpora[name].documents)
    try:
        for row in _from_hub(name, rows) if data.source == "hub" else rows:
            items.append(READERS[name](row))
    except UsageError:
        raise
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise UsageError(
            f"row {len(items) + 1} of '{name}' in data={data.source} is no question ({shortened(error)}): remove it"
        ) from error
    if not items:
        raise UsageError(f"'{name}' of data={data.source} holds no question: check conf/data")
    repeated = [identifier for identifier, count in Counter(item.id for item in items).items() if count > 1]
    if repeated:
        raise UsageError(f"'{name}' of data={data.source} has two questions of id {repeated[0]}: make ids unique")
    sampled = limit is not None and limit < len(items)
    if sampled:
        items = sorted(items, key=lambda item: hashlib.sha256(item.id.encode()).digest())[:limit]
    return Questions(name, data.source, tuple(items), sampled)


def boolq(row: Row) -> Question:
    """Fields id, title, passage, question, answer (true or false); without a title, the passage includes it."""
    passage = f"{row['title']} -- {row['passage']}" if "title" in row else row["passage"]
    context = f"{passage}\nQuestion: {row['question'].strip().rstrip('?')}?\nAnswer:"
    if not isinstance(row["answer"], bool):
        raise TypeError(f"answer {row['answer']!r} is neither true nor false")
    return _question(row, context, ["no", "yes"], int(row["answer"]))


def piqa(row: Row) -> Question:
    """Fields id, goal, sol1, sol2, label (0 or 1)."""
    context = f"Question: {row['goal'].strip()}\nAnswer:"
    return _question(row, context, [row["sol1"], row["sol2"]], _place(row["label"], (0, 1)))


def race(row: Row) -> Question:
    """Fields id, article, question, options (four), answer (A to D)."""
    if not isinstance(row["options"], list) or len(row["options"]) != 4:
        raise ValueError(f"options {row['options']!r:.80} instead of a list of 4")
    statement = FINAL_BLANK.match(row["question"].strip())
    asked = statement.group(1) if statement else f"Question: {row['question'].strip()}\nAnswer:"
    return _question(row, f"Article: {row['article']}\n{asked}", row["options"], _place(row["answer"], LETTERS))


def winogrande(row: Row) -> Question:
    """Fields id, sentence with one blank `_`, option1, option2, answer ("1" or "2")."""
    if row["sentence"].count("_") != 1:
        raise ValueError(f"sentence {row['sentence']!r:.80} has {row['sentence'].count('_')} blanks _ instead of 1")
    before, after = row["sentence"].split("_")
    contexts = tuple(before + _text(row[option]) for option in ("option1", "option2"))
    _text(after)
    return Question(_text(str(row["id"])), contexts, (after.rstrip(),) * 2, _place(str(row["answer"]), ("1", "2")))


def _question(row: Row, context: str, choices: list[str], answer: int) -> Question:
    return Question(
        _text(str(row["id"])), (context,) * len(choices), tuple(f" {_text(choice)}" for choice in choices), answer
    )


def _place(given: Any, known: tuple[Any, ...]) -> int:
    """Place of an answer among those that are known; any other is refused."""
    if given not in known:
        raise ValueError(
            f"the answer {given!r:.80} is none of {', '.join(map(str, known))}; if a test split hides it, take another"
        )
    return known.index(given)


def _text(choice: str) -> str:
    """A text without spaces around it; an empty one is refused."""
    if not choice.strip():
        raise ValueError("an empty text where one is needed")
    return choice.strip()


READERS: dict[str, Callable[[Row], Question]] = {
    "boolq": boolq,
    "piqa": piqa,
    "race_middle": race,
    "race_high": race,
    "winogrande": winogrande,
}


def _from_hub(name: str, rows: Iterable[Row]) -> Iterator[Row]:
    """The hub's rows with ids and the local field names.

    SuperGLUE's boolq has the fields question, passage (title included), idx, label (0 is false). RACE's `example_id`
    names the article's file: its questions are numbered within it. The other sets' rows have no ids and are numbered.
    """
    asked: Counter[str] = Counter()
    for number, row in enumerate(rows):
        if name == "boolq":
            yield {**row, "id": f"boolq-val-{row['idx']}", "answer": bool(_place(row["label"], (0, 1)))}
        elif READERS[name] is race:
            article = row["example_id"].removesuffix(".txt")
            yield {**row, "id": f"{article}-{asked[article]}"}
            asked[article] += 1
        else:
            yield {**row, "id": f"{name}-valid-{number}"}
