"""Speed and memory of this project's evaluation and tuning, measured against its peers and against the machine."""
