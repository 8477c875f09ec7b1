"""Training: an extension's weights, from a base's."""
