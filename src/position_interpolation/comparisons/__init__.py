"""What is compared across the tasks: rival methods, steps of tuning, settings, tokens of the base."""
