"""What is compared across the tasks: steps of tuning, settings, tokens of the base."""
