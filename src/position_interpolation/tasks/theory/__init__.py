"""Section 2 without a model (Figures 1, 2 and 5, the bounds by head dimension) on a page."""
