"""Pairs of a report and its summary (GovReport), from the same sources as any corpus."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Data
from position_interpolation.text import corpora
from position_interpolation.text.corpora import Document, Documents

TEXTS = ("report", "summary")
WHOLE = 0.96  # the share of a report that must have been kept for it to count as whole


@dataclass(frozen=True)
class Pair(Document):
    """A report, which is the document's text, and the summary that people wrote for it."""

    summary: str


@dataclass(frozen=True)
class Pairs(Documents):
    """A named list of pairs; their summaries are in its fingerprint, too."""

    items: tuple[Pair, ...]


def load(data: Data, name: str, limit: int | None = None, ids: list[str] | None = None) -> Pairs:
    """Load the pairs `name` of the configured source; the arguments are those of `corpora.load`.

    Raises:
        UsageError: no such corpus, its files are missing, a row is no pair, or an id is not in it.
    """
    found = _pairs(corpora.rows(data, name, TEXTS), name)
    return Pairs(name, data.source, corpora.select(found, data, name, limit, ids))


def _pairs(rows: Iterator[dict[str, Any]], name: str) -> Iterator[Pair]:
    """Pairs whose report is whole, as it is in every row without `kept_fraction`."""
    for row in rows:
        kept, texts = row.get("kept_fraction", 1.0), [row.get(field, "") for field in TEXTS]
        if not isinstance(kept, int | float):
            raise UsageError(f"pair {row['id']} of corpus '{name}' has kept_fraction={kept!r}: expected a share of 1")
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise UsageError(f"pair {row['id']} of corpus '{name}' has no report or no summary: remove the row")
        if kept >= WHOLE:
            yield Pair(row["id"], *texts)
