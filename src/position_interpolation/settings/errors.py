"""The exception that a user is meant to read, and how others are told."""

GO_ON = "what was finished is kept, and the same command goes on"


class UsageError(ValueError):
    """What was asked for cannot be done as asked: in one line what was wrong, what was expected, what to do.

    A function that `refuses` something raises it.
    """


def shortened(error: Exception) -> str:
    """An exception in one line of limited length."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 300 else f"{text[:300]} ..."


def told(error: UsageError | OSError) -> str:
    """The one line that a user reads; it names the place if a disk is full or a folder cannot be written."""
    if isinstance(error, UsageError):
        return f"error: {error}"
    if isinstance(error, BrokenPipeError):
        return f"stopped, as nobody reads on what it prints: {GO_ON}"
    where = "" if error.filename is None else f"{error.filename}: "
    return f"error: {where}{error.strerror or error}; mend that or choose another place: {GO_ON}"
