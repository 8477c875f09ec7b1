"""Records made readable: tables, figures and pages. Nothing here computes a result."""
