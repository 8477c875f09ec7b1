"""From a prepared extension and a task to measurements: one module a task."""
