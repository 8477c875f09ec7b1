"""Pages: of a results folder, of all of them, and the ledger of claims."""
