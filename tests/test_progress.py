"""Progress in a log: whole lines, soon at first and seldom later."""

import pytest

from position_interpolation.machine import progress
from position_interpolation.machine.progress import AT_MOST, Progress


def test_a_log_gets_whole_lines_that_say_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SOON", 0.0)
    with Progress("perplexity at 256", 4, "documents", done=1) as bar:
        bar(1)
        bar(1, "loss 2.5")
    written = capsys.readouterr().err
    assert "\r" not in written
    lines = written.splitlines()
    assert [line[: line.index(" documents")] for line in lines] == [
        "perplexity at 256:  25 % of 4.00",
        "perplexity at 256:  50 % of 4.00",
        "perplexity at 256:  75 % of 4.00",
    ]
    assert lines[-1].endswith("left, loss 2.5")


def test_lines_become_seldom(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves a second a step: 600 steps write at 0, 5, 15, 35, 75, then every 60 seconds."""
    now = [0.0]
    with Progress("tuning", 600, "steps") as bar:
        monkeypatch.setattr(bar.bar, "_time", lambda: now[0])
        bar.bar.start_t = bar.bar.last_print_t = 0.0
        bar.bar.dynamic_miniters, bar.bar.miniters = False, 1
        for _ in range(600):
            now[0] += 1.0
            bar(1)
        assert bar.bar.mininterval == AT_MOST
    lines = capsys.readouterr().err.splitlines()
    assert 10 <= len(lines) <= 14
