"""Summaries of reports (Table 6) on a page."""
