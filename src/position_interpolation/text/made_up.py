"""Text that means nothing, for trying a run before its real text is at hand."""

import random
from collections.abc import Iterator

DOCUMENTS, WORDS = 6, 4000


def documents(name: str) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of a few documents of random words, the same for the same name."""
    generator = random.Random(name)
    words = ["".join(generator.choices("aeiourstln", k=generator.randint(2, 8))) for _ in range(500)]
    for number in range(DOCUMENTS):
        yield f"{name}-{number}", " ".join(generator.choices(words, k=WORDS))
