"""Files of what a model answered, to be read by people. Shared by the tasks that ask questions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from position_interpolation.evidence.extensions import base_name
from position_interpolation.machine import distributed, files
from position_interpolation.tuning.extension import Prepared


def keep(prepared: Prepared, about: str, signature: str, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Write JSON lines, one per question, to <paths.runs>/answers, unless the file is there already.

    Its name tells the extension, the questions (`about`) and the measurement's signature.
    """
    treatment, config = prepared.treatment, prepared.config
    base = base_name(config.model.name, config.model.base_tokens)
    name = f"{base}-{treatment.method}-x{treatment.factor:g}-{treatment.steps}steps"
    place = Path(config.paths.runs) / "answers" / f"{name}-{about}-{signature}.jsonl"
    if config.measure_again or not distributed.agreed(place.is_file):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines())
        if distributed.is_first():
            files.write_text(place, text)
    if distributed.is_first():
        print(f"what the model answered: {place}")
