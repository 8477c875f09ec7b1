"""The h_j of real heads on a page."""
