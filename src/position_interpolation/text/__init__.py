"""Text: where it comes from, how it becomes token ids and training windows."""
