"""Settings compared on a page: learning rates, choices that the paper leaves open."""
