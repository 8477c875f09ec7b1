"""Retrieval that is harder than the passkey's: of one key among several, of all of several, and over hops."""
