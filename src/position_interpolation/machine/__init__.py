"""The machine: device, precision, processes, files, progress."""
