"""Recall windows: made-up text in which something is stated, and later asked for.

A base that finds no key inside its own window could not pass the passkey test at any length. The paper's bases learn to
find keys from a trillion tokens; a small one has to be shown how. The paper's own wording and the words of its filler
(`text/prompts.py`) are left out, so that the test stays unseen.

Every window is made by itself: it begins with a document, and holds no question whose statement stands in another
window. Most windows are one document, the others are split at random. Filler is distributed at random, so the distance
between statement and question is spread over the whole window, whatever its length. Each window is made a few tokens
too long and cut. If every window ended with a document, a model would learn to end numbers there, and would find no key
in a prompt that fills its window.

There are three kinds of document. `buried`: one to three keys among filler, asked for at the end, as the test does.
`listed`: 4 to 16 names with a key each, asked for in another order. `echo`: a line repeated until the document is full.
The last two have many copied tokens in little text, where buried keys have few.
"""

import hashlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from position_interpolation.text.encoding import decode, encode, end

Ids = list[int]
SHORTEST = 56  # tokens of a document, if a window is split
SPLIT = 0.2  # share of windows that are more than one document
OVERHANG = 12  # most tokens that the window's end cuts off: an answer and what may follow it
MEASURED_WINDOWS = 64  # windows of a sequence that its fingerprint covers

SUBJECTS = (
    "secret number", "access code", "door code", "locker number", "account number", "serial number", "pin",
    "ticket number", "hidden number", "magic number", "code word", "room number", "safe combination", "phone number",
    "order number", "record number", "special key", "lock code", "vault code", "pass code",
)  # fmt: skip
OWNERS = ("", "", "", " of Anna", " of the captain", " for the gate", " of Mr. Brown", " of the house", " for Tom")
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
LINES = ("{name}: {key}", "The {subject} of {name} is {key}.", "{name} has {key}.", "{name} = {key}")
NAMES = (
    "Adam", "Bella", "Carl", "Dora", "Emil", "Fanny", "Gustav", "Hanna", "Igor", "Jane", "Karl", "Lucy", "Max", "Nora",
    "Otto", "Paula", "Quentin", "Rosa", "Simon", "Theo", "Ursula", "Victor", "Wanda", "Xaver", "Yvonne", "Zoe",
)  # fmt: skip
THINGS = (
    "river", "road", "bread", "wind", "horse", "lamp", "window", "snow", "tower", "market", "winter", "soup", "coat",
    "garden", "letter", "bridge", "piano", "island", "carpet", "candle", "valley", "barrel", "copper", "forest",
)  # fmt: skip
QUALITIES = (
    "long", "fresh", "cold", "tired", "low", "open", "deep", "old", "quiet", "white", "heavy", "bright", "empty",
    "warm", "narrow", "sweet", "wet", "far away", "broken", "round", "sharp", "brown", "soft", "tall",
)  # fmt: skip
ASIDES = (
    "Birds sing.", "It rained all day.", "We walked along the shore.", "Children play in the yard.", "Off they went.",
    "The clock struck nine.", "Leaves fall in autumn.", "She laughed.", "They came home late.", "Now and then.",
)  # fmt: skip
WORDS = (
    "amber", "falcon", "cotton", "marble", "ginger", "violet", "saddle", "thunder", "velvet", "walnut", "anchor",
    "basket", "cedar", "dagger", "ember", "feather", "goblet", "harbor", "ivory", "jasmine", "kettle", "lantern",
)  # fmt: skip


class RecallWindows:
    """An endless sequence of recall windows; each depends on the seed and its number alone."""

    def __init__(self, seed: int, prose: NDArray[np.uint32], tokenizer: Any, length: int) -> None:
        """Plan windows of exactly `length` token ids, with filler cut from `prose`, a stream of token ids."""
        self.seed, self.prose, self.tokenizer, self.length = seed, prose, tokenizer, length
        self.end = end(tokenizer)

    def __getitem__(self, number: int) -> NDArray[np.uint32]:
        """(length,) token ids of one window: documents, each ended by EOS if there is one, the last cut at the end."""
        ids = [id_ for document in self.documents(number) for id_ in document]
        return np.asarray(ids[: self.length], np.uint32)

    def sha256(self) -> str:
        """Fingerprint of the first windows; all others are made by the same rules from the same prose."""
        digest = hashlib.sha256(f"{self.seed} {self.length}".encode())
        for number in range(MEASURED_WINDOWS):
            digest.update(self[number].tobytes())
        return digest.hexdigest()

    def documents(self, number: int) -> list[Ids]:
        """The documents of one window, the last of them whole."""
        generator = random.Random(f"{self.seed} {number}")
        found: list[Ids] = []
        room = self.length + generator.randint(0, OVERHANG)
        while room:
            split = room >= 2 * SHORTEST and generator.random() < SPLIT
            size = generator.randint(SHORTEST, room - SHORTEST) if split else room
            found.append([*self._document(generator, size - len(self.end)), *self.end])
            room -= size
        return found

    def _document(self, generator: random.Random, size: int) -> Ids:
        """Exactly `size` ids of a document of a random kind, or of an echo if that kind does not fit."""
        (make,) = generator.choices((self._buried, self._listed, self._echo), weights=(4, 3, 3))
        return make(generator, size) or self._echo(generator, size)

    def _buried(self, generator: random.Random, size: int) -> Ids | None:
        """One to three keys stated among filler, then asked for in random order."""
        keys = [_key(generator) for _ in range(generator.choice((1, 1, 1, 2, 3)))]
        subjects = [subject + generator.choice(OWNERS) for subject in generator.sample(SUBJECTS, len(keys))]
        named = list(zip(subjects, keys, strict=True))
        stated = [generator.choice(STATEMENTS).format(subject=subject, key=key) for subject, key in named]
        asked = [
            generator.choice(QUESTIONS).format(subject=subject, key=key)
            for subject, key in generator.sample(named, len(named))
        ]
        return self._filled(generator, stated, asked, size)

    def _listed(self, generator: random.Random, size: int) -> Ids | None:
        """Names with a key each, close together or spread out, then all of them again in another order."""
        subject, line = generator.choice(SUBJECTS), generator.choice(LINES)
        kind = generator.choice(KEYS)
        names = generator.sample(NAMES, generator.randint(4, 16))
        lines = [line.format(subject=subject, name=name, key=kind(generator)) for name in names]
        costs = [len(encode(self.tokenizer, "\n" + said)) for said in lines]
        while lines and 2 * sum(costs) > size:
            lines.pop()
            costs.pop()
        again = generator.sample(lines, len(lines))
        if len(lines) > 1 and generator.random() < 0.5:
            lines = ["\n".join(lines)]  # close together: all filler stands before or behind them
        return self._filled(generator, lines, again, size) if lines else None

    def _filled(self, generator: random.Random, stated: list[str], asked: list[str], size: int) -> Ids | None:
        """Statements with filler before, between and after them, then the questions; None if they need more room."""
        mark = generator.choice(("\n", " "))
        pieces = [encode(self.tokenizer, mark + text) for text in stated]
        questions = [id_ for text in asked for id_ in encode(self.tokenizer, mark + text)]
        room = size - len(questions) - sum(map(len, pieces))
        if room < 0:
            return None
        cuts = sorted(generator.randint(0, room) for _ in pieces)
        gaps = [end - start for start, end in zip([0, *cuts], [*cuts, room], strict=True)]
        filler = self._prose if generator.random() < 0.5 else self._sentences
        line = encode(self.tokenizer, "\n")  # filler after a key begins on a new line
        ids = filler(generator, gaps[0])
        for piece, gap in zip(pieces, gaps[1:], strict=True):
            ids += piece + (line + filler(generator, gap))[:gap]
        return ids + questions

    def _echo(self, generator: random.Random, size: int) -> Ids:
        """Words of a piece of prose and some keys, shuffled, then repeated until the document is full."""
        cited = self._prose(generator, generator.randint(8, max(8, size // 2)))
        words = decode(self.tokenizer, cited).split()[1:-1]
        words += [_key(generator) for _ in range(generator.randint(1, 5))]
        generator.shuffle(words)
        mark = generator.choice(("\n", " ", " / ", ". I repeat: "))
        said = encode(self.tokenizer, mark + " ".join(words))[: max(1, size // 2)]
        return np.resize(said, size).tolist()

    def _prose(self, generator: random.Random, count: int) -> Ids:
        """`count` consecutive tokens of prose, without EOS."""
        start = generator.randrange(max(1, len(self.prose) - count - 1))
        piece = self.prose[start : start + count + 2]
        return np.resize(piece[~np.isin(piece, self.end)], count).tolist() if count else []

    def _sentences(self, generator: random.Random, count: int) -> Ids:
        """`count` tokens of a few short sentences that are repeated, starting anywhere in them."""
        things, qualities = generator.sample(THINGS, 3), generator.sample(QUALITIES, 3)
        said = [f"The {thing} is {quality}." for thing, quality in zip(things, qualities, strict=True)]
        said = (said + generator.sample(ASIDES, 2))[: generator.choice((1, 3, 4, 5))]
        ids = encode(self.tokenizer, " " + " ".join(said))
        start = generator.randrange(len(ids))
        return np.resize(ids[start:] + ids[:start], count).tolist() if count else []


def _number(generator: random.Random) -> str:
    digits = generator.choice((3, 4, 5, 5, 5, 5, 6, 7))
    return str(generator.randrange(10 ** (digits - 1), 10**digits))


def _word(generator: random.Random) -> str:
    return generator.choice(WORDS)


def _code(generator: random.Random) -> str:
    return "".join(generator.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(generator.choice((3, 4, 5))))


KEYS: tuple[Callable[[random.Random], str], ...] = (_number,) * 7 + (_word,) + (_code,) * 2


def _key(generator: random.Random) -> str:
    """A key: mostly digits, as in the test; sometimes a word, or letters and digits."""
    return generator.choice(KEYS)(generator)
