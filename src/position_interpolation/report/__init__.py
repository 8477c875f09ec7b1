"""Records made readable: tables, figures and pages. No model runs here; Figures 2 and 5 are computed when drawn."""
