"""The configuration: its typed schema, the numbers derived from it, the limits of both."""
