"""How numbers are shown: tables, figures, labels."""
