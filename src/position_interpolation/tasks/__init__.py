"""What is measured: a folder a task, with its mathematics, measuring, tables, figures and claims."""
