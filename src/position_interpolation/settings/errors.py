"""The one exception a user is meant to read, and what it says of others."""


class UsageError(ValueError):
    """What was asked for cannot be done as asked.

    The message is one line: what was wrong, what was expected, what to do. `__main__` prints it without a traceback.
    """


def shortened(error: Exception) -> str:
    """What is wrong, on one line that does not repeat a whole document."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 300 else f"{text[:300]} ..."
