"""The configuration: its typed schema, the numbers derived from it, what is refused of both."""
