"""Models: loaded or built with complete rope parameters, and scored."""
