"""Progress of long work with its rate and the time left: a bar in a terminal, lines in a log."""

import sys
from contextlib import AbstractContextManager
from typing import Any

from tqdm import tqdm

from position_interpolation.machine import distributed

SOON, AT_MOST = 5.0, 60.0  # seconds between two lines of a log: at first, and in the end
LINE = "{desc}: {percentage:3.0f} % of {total_fmt}{unit}, {rate_noinv_fmt}, {remaining} left{postfix}"
BAR = "{l_bar}{bar}| {n_fmt} of {total_fmt}{unit}, {rate_noinv_fmt}, {remaining} left{postfix}"


class Progress(AbstractContextManager["Progress"]):
    """Counts units of work. In a log it writes whole lines, the first after seconds, later one per minute."""

    def __init__(self, label: str, total: int, unit: str, done: int = 0) -> None:
        self.terminal = sys.stderr.isatty()
        look: dict[str, Any] = {"mininterval": SOON, "maxinterval": AT_MOST, "bar_format": LINE, "file": _Lines()}
        if self.terminal:
            look = {"mininterval": 0.5, "dynamic_ncols": True, "bar_format": BAR}
        self.bar = tqdm(
            total=total, initial=done, desc=label, unit=f" {unit}", unit_scale=True, leave=False,
            disable=not distributed.is_first(), **look,
        )  # fmt: skip

    def __call__(self, amount: int, note: str = "") -> None:
        """Count `amount` more units as done; `note` is shown after the time left from the next update on."""
        if note:
            self.bar.set_postfix_str(note, refresh=False)
        if self.bar.update(amount) and not self.terminal:
            self.bar.mininterval = min(AT_MOST, 2 * self.bar.mininterval)

    def close(self) -> None:
        """Take the bar away."""
        self.bar.close()

    def __exit__(self, *raised: object) -> None:
        self.close()


class _Lines:
    """A stream that puts each state that tqdm writes on a line of its own, and drops what would clear the last one."""

    def write(self, text: str) -> None:
        """Write one state."""
        if state := text.strip("\r\n "):
            print(state, file=sys.stderr)

    def flush(self) -> None:
        """Show it at once."""
        sys.stderr.flush()
