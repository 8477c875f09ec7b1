"""Bases stopped after growing numbers of training tokens, on a page."""
