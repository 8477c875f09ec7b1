"""Two results folders held against each other: what differs, whether rounding explains it, what claims it changes."""
