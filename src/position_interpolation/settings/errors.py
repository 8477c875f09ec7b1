"""The one exception a user is meant to read."""


class UsageError(ValueError):
    """What was asked for cannot be done as asked.

    The message is one line: what was wrong, what was expected, what to do. `__main__` prints it without a traceback.
    """
