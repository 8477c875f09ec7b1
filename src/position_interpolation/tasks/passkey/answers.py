"""Whether a model's answers to passkey probes are right: read off one forward per probe, or judged as written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from position_interpolation.models import answers
from position_interpolation.models.answers import Told
from position_interpolation.tasks.passkey.prompts import Probe
from position_interpolation.text.encoding import decode


@dataclass(frozen=True)
class Reading:
    """What one teacher-forced forward says of a probe."""

    right: bool  # whether greedy decoding would write the whole answer
    log_likelihood: float  # of the key, in nats per digit


def read(
    model: Any, trials: Sequence[Probe], tokens_per_forward: int, progress: Told = lambda _: None
) -> list[Reading]:
    """Read each probe's answer off one forward."""
    return [
        Reading(all(found.greedy), -sum(found.losses[probe.lead :]) / len(probe.key))
        for probe, found in zip(trials, answers.read(model, trials, tokens_per_forward, progress), strict=True)
    ]


def right(tokenizer: Any, probe: Probe, written: Sequence[int], match: str) -> bool:
    """Whether what was written is right by a rule of `config.MATCHES`."""
    if match == "number":
        number = re.search(r"\d+", decode(tokenizer, written))
        return number is not None and int(number.group()) == int(probe.key)
    return tuple(written[: len(probe.answer)]) == probe.answer
