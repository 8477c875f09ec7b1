"""The rules by which passkey answers are judged, in words; `prompts.py` applies them.

No table, figure or conclusion mixes two rules.
"""

from collections.abc import Iterable

from position_interpolation.evidence import select
from position_interpolation.evidence.records import Record

TASKS = ("passkey", "passkey_map")  # names of conf/task: Table 4's, and prompts of several lengths
# Conclusions rest on the first of these that was measured.
SENTENCES = {
    "key": "Judged by rule key: every digit must match, and nothing else is judged. The space that most tokenizers put "
    "before a number stands in the prompt.",
    "strict": "Judged by rule strict: every digit must match, and so must the space before the key, where a model may "
    "prefer another word though it knows the key.",
    "number": "Judged by rule number, as in YaRN's and LongRoPE's scripts: of what is written freely behind the prompt "
    "the first number must be the key.",
}
REMARKS = {"strict": "judged with the space before the key", "number": "judged by the first number written"}


def believed(records: Iterable[Record]) -> str | None:
    """The rule of some passkey records that conclusions rest on; None for the paper's, which name no rule."""
    found = {record.protocol for record in records}
    return next((rule for rule in SENTENCES if rule in found), None)


def remark(rule: str | None) -> str:
    """What a conclusion adds if it rests on another rule than `key`."""
    return f", {REMARKS[rule]}" if rule in REMARKS else ""


def passkeys(records: Iterable[Record]) -> dict[select.Group, list[Record]]:
    """Records of passkey retrieval by task and rule; the rule that conclusions rest on comes first.

    Prompts differ by window, so their fingerprint is ignored.
    """
    asked = [
        record for record in records if record.task in TASKS and record.protocol in SENTENCES and select.plain(record)
    ]
    found = select.grouped(asked, "rule")
    return dict(sorted(found.items(), key=lambda item: list(SENTENCES).index(str(item[0].rule))))
