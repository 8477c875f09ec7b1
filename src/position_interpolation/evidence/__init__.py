"""Evidence: records, intervals, comparisons, the paper's numbers, verdicts."""
