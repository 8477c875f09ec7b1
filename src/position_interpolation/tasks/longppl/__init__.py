"""LongPPL: perplexity over the tokens that a long context makes predictable, and no others."""
