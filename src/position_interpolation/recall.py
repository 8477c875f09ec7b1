"""Recall documents: a key is stated and asked for again. They teach retrieval inside the base's window.

A base that cannot retrieve inside its own window could never pass the passkey test at any length, extended or not. The
paper's bases learn it from a trillion tokens; a small one is shown it. The paper's own wording (`tasks/passkey`) is
left out on purpose, so that the test stays unseen.

Before them may come a lesson of `repeats`: short random sequences of single characters said over and over, on which
looking back for what followed last time is all there is to learn.

Three kinds of document. `buried`: a key or more among filler, asked for at the end, as the test does. `ledger`: many
keys stated and asked for in another order. `echo`: a line said two or three times. The last two put many copied tokens
into little text, where buried keys put few.
"""

import random
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SUBJECTS = (
    "secret number", "access code", "door code", "locker number", "account number", "serial number", "pin",
    "ticket number", "hidden number", "magic number", "code word", "room number", "safe combination", "phone number",
    "order number", "record number", "special key", "lock code", "vault code", "pass code",
)  # fmt: skip
OWNERS = (
    "",
    "",
    "",
    " of Anna",
    " of the captain",
    " for the gate",
    " of Mr. Brown",
    " of the house",
    " for Tom",
)
STATEMENTS = (
    "The {subject} is {key}.",
    "The {subject} is {key}. Keep it in mind. {key} is the {subject}.",
    "Remember that the {subject} is {key}.",
    "Note: {subject} = {key}.",
    "Here is the {subject}: {key}. Do not forget it.",
    "{key} is the {subject}. Memorize it.",
    "I tell you that the {subject} is {key}, so {key} it is.",
)
QUESTIONS = (
    "What is the {subject}? The {subject} is {key}.",
    "Which was the {subject}? The {subject} is {key}",
    "Tell me the {subject}. The {subject} is {key}.",
    "Now recall: {subject} = {key}.",
    "Question: what is the {subject}? Answer: {key}.",
    "The {subject} was {key}.",
)
SENTENCES = (
    "The river runs to the sea.", "Birds sing in the morning.", "The road is long.", "It rained all day.",
    "The dog sleeps by the fire.", "Snow fell on the hills.", "The wind is cold.", "We walked along the shore.",
    "The bread is fresh.", "Children play in the yard.", "The clock struck nine.", "Leaves turn red in autumn.",
    "The horse is tired.", "She opened the window.", "They came home late.", "The lamp burns low.",
)  # fmt: skip


NAMES = (
    "Adam", "Bella", "Carl", "Dora", "Emil", "Fanny", "Gustav", "Hanna", "Igor", "Jane", "Karl", "Lucy", "Max", "Nora",
    "Otto", "Paula", "Quentin", "Rosa", "Simon", "Theo", "Ursula", "Victor", "Wanda", "Xaver", "Yvonne", "Zoe",
)  # fmt: skip


def repeats(seed: int, symbols: list[int], length: int, count: int) -> NDArray[np.uint32]:
    """(count, length) token ids: each row a random sequence of 4 to 47 `symbols`, repeated until the row is full."""
    generator = np.random.default_rng(seed)
    rows = [generator.choice(symbols, generator.integers(4, 48)) for _ in range(count)]
    return np.stack([np.resize(row, length) for row in rows]).astype(np.uint32)


def documents(seed: int, passages: list[str], stretch: float = 1.0) -> Iterator[str]:
    """Yield endless recall documents.

    Args:
        seed: of the whole stream.
        passages: natural prose to bury keys in; the filler is cut from it or repeats short sentences.
        stretch: how many times as much filler buried keys have as those that fit a window of 256 tokens.
    """
    generator = random.Random(seed)
    while True:
        (kind,) = generator.choices(("buried", "ledger", "echo"), weights=(3, 3, 4))
        if kind == "buried":
            yield _buried(generator, passages, stretch)
        else:
            yield (_ledger if kind == "ledger" else _echo)(generator, passages)


def _buried(generator: random.Random, passages: list[str], stretch: float) -> str:
    """One to three keys stated among filler, then asked for in random order."""
    budget = round(stretch * generator.choice((1, 60, 150, 300, 450)))  # characters of filler around each key
    keys = [_key(generator) for _ in range(generator.choice((1, 1, 1, 2, 3)))]
    subjects = [subject + generator.choice(OWNERS) for subject in generator.sample(SUBJECTS, len(keys))]
    parts = [_filler(generator, passages, budget)]
    for subject, key in zip(subjects, keys, strict=True):
        parts.append(generator.choice(STATEMENTS).format(subject=subject, key=key))
        parts.append(_filler(generator, passages, budget))
    order = list(range(len(keys)))
    generator.shuffle(order)
    parts += [generator.choice(QUESTIONS).format(subject=subjects[i], key=keys[i]) for i in order]
    return generator.choice(("\n", " ")).join(part for part in parts if part)


def _ledger(generator: random.Random, passages: list[str]) -> str:
    """Three to eight names with a key each, then all of them again in another order."""
    subject = generator.choice(SUBJECTS)
    line = generator.choice(
        ("{name}: {key}", "The {subject} of {name} is {key}.", "{name} has {key}.", "{name} = {key}")
    )
    names = generator.sample(NAMES, generator.randint(3, 8))
    lines = [line.format(subject=subject, name=name, key=_key(generator)) for name in names]
    again = generator.sample(lines, len(lines))
    heading = generator.choice((f"Each {subject}:", "List", ""))
    return "\n".join([heading, *lines, generator.choice(("Again:", "Once more.", "")), *again])


def _echo(generator: random.Random, passages: list[str]) -> str:
    """Words of a piece of prose and some keys, shuffled, two or three times over."""
    passage = generator.choice(passages)
    length = generator.choice((60, 120, 200, 300))
    start = generator.randrange(max(1, len(passage) - length))
    words = passage[start : start + length].split()[1:-1]
    words += [_key(generator) for _ in range(generator.randint(1, 5))]
    generator.shuffle(words)
    said = " ".join(words)
    return generator.choice(("\n", " ", " / ", ". I repeat: ")).join([said] * generator.choice((2, 2, 3)))


def _key(generator: random.Random) -> str:
    digits = generator.choice((3, 4, 5, 5, 5, 6))
    return str(generator.randrange(10 ** (digits - 1), 10**digits))


def _filler(generator: random.Random, passages: list[str], budget: int) -> str:
    length = generator.randrange(budget)
    if generator.random() < 0.5:
        passage = generator.choice(passages)
        start = generator.randrange(max(1, len(passage) - length))
        return " ".join(passage[start : start + length].split())
    sentences = " ".join(generator.sample(SENTENCES, generator.choice((1, 3, 5))))
    return (sentences + " ") * (length // len(sentences))
