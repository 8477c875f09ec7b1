"""Passkey retrieval on a page."""
