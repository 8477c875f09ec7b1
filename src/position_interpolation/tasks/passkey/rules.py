"""By which rule passkey answers were judged, in words. Numbers of two rules share no table, figure or conclusion."""

from collections.abc import Iterable

from position_interpolation.evidence.records import Record

# Conclusions rest on the first of these that was measured.
SENTENCES = {
    "key": "Judged by rule key: every digit must match, and what stands before the key whatever its digits, a lone "
    "space on most tokenizers, belongs to the prompt.",
    "strict": "Judged by rule strict: every digit must match, and so must the space before the key, where a model may "
    "prefer another word though it knows the key.",
    "number": "Judged by rule number, as in YaRN's and LongRoPE's scripts: of what is written freely behind the prompt "
    "the first number must be the key.",
}
REMARKS = {"strict": "judged with the space before the key", "number": "judged by the first number written"}


def rule_of(record: Record) -> str:
    """The rule of a passkey record; before rules were recorded, answers were judged strictly."""
    return record.protocol or "strict"


def believed(records: Iterable[Record]) -> str | None:
    """Of the rules that some passkey records were judged by, the one that conclusions rest on; None without records."""
    found = {rule_of(record) for record in records}
    return next((rule for rule in SENTENCES if rule in found), None)
