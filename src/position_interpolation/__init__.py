"""Position Interpolation (arXiv:2306.15595), reproduced: methods, protocols and the evidence."""

__version__ = "0.1.0"
