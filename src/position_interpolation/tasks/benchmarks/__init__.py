"""Zero-shot benchmarks (Table 5) on a page."""
