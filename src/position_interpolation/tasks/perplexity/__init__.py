"""Sliding-window perplexity (Tables 1 and 2) on a page."""
