"""The application: compose and check a run, carry it out, keep what it measured."""
