"""One progress bar for long work: rate and time left, quiet where nobody looks."""

import sys
from types import TracebackType

from tqdm import tqdm

from position_interpolation.machine import distributed


class Progress:
    """A bar with a rate and the time left; prints only sparse lines when the output is no terminal."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        interval = 0.5 if sys.stderr.isatty() else 30.0
        self.bar = tqdm(
            total=total, desc=label, unit=f" {unit}", unit_scale=True, mininterval=interval, leave=False,
            disable=not distributed.is_first(),
        )  # fmt: skip

    def __enter__(self) -> "Progress":
        return self

    def __call__(self, amount: int) -> None:
        """Count `amount` more units as done."""
        self.bar.update(amount)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()
