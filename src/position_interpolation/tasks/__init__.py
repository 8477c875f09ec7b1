"""What an extension is measured on: one module a task."""
