"""Perplexity by position on a page."""
