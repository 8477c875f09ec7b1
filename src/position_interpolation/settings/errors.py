"""The exceptions that a user is meant to read."""

GO_ON = "what was finished is kept, and the same command goes on"


class UsageError(ValueError):
    """What was asked for cannot be done as asked.

    The message is one line: what was wrong, what was expected, what to do. `__main__` prints it without a traceback.
    """


def told(error: UsageError | OSError) -> str:
    """The one line that a user reads; of a full disk or a folder that cannot be written, with the place."""
    if isinstance(error, UsageError):
        return f"error: {error}"
    where = "" if error.filename is None else f"{error.filename}: "
    return f"error: {where}{error.strerror or error}; mend that or choose another place: {GO_ON}"
