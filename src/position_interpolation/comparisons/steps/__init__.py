"""What tuning steps change (Tables 3 and 4), and tuning curves, on a page."""
