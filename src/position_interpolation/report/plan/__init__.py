"""What a run would cost, before anything runs: task=plan."""
