"""Bad inputs, kills and full disks, a few of each: nothing ends in a traceback, a wrong number or a lost row.

`make trials` has hundreds of each.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import Trial
from processes import Outcome, forked
from trials import serving, verdict

from position_interpolation.settings.errors import UsageError

SCRIPT = Path(__file__).with_name("trials.py")


def test_no_bad_input_no_kill_and_no_full_disk_costs_a_number() -> None:
    asked = ["--inputs", "30", "--kills", "2", "--disks", "2", "--pairs", "1"]
    with serving() as environment:
        done = subprocess.run([sys.executable, str(SCRIPT), *asked], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# The counting itself


@pytest.mark.parametrize(
    ("outcome", "must", "counted"),
    [
        (Outcome(1, "error: no file: set data.root", None), "either", "refused"),
        (Outcome(1, "error: no file: set data.root", None), "same", "lost"),
        (Outcome(1, "error: no file", None), "either", "unclear"),
        (Outcome(1, "error: no file:\nset data.root", None), "either", "unclear"),
        (Outcome(1, "Traceback (most recent call last)\nerror: set it", None), "either", "traceback"),
        (Outcome(-11, "", None), "either", "traceback"),
        (Outcome(0, "", {"row": ["signature", 1.0]}), "either", "same"),
        (Outcome(0, "", {"row": ["signature", 1.0]}), "refuse", "silent"),
        (Outcome(0, "", {"row": ["signature", 2.0]}), "either", "silent"),
        (Outcome(0, "", {"row": ["another", 2.0]}), "either", "other"),
        (Outcome(0, "", {"row": ["another", 2.0]}), "same", "silent"),
        (Outcome(0, "", {}), "same", "silent"),
    ],
)
def test_what_is_counted_as_what(outcome: Outcome, must: str, counted: str) -> None:
    truth = {"row": ["signature", 1.0]}
    assert verdict(Trial("kind", "name", must=must, truth=truth), outcome) == counted


def refusing() -> None:
    raise UsageError("no")


def mistaken() -> Any:
    return {}["key"]


@pytest.mark.parametrize(
    ("act", "status", "said"), [(refusing, 1, "error: no"), (mistaken, 2, "KeyError: 'key'"), (lambda: [1], 0, "")]
)
def test_a_process_of_its_own_says_how_it_ended(act: Any, status: int, said: str, tmp_path: Path) -> None:
    ended = forked(act, tmp_path / "new").ended()
    assert ended.status == status
    assert said in ended.said
    assert ended.found == ([1] if status == 0 else None)
