"""The training loss of an extension, as records and as a figure."""
