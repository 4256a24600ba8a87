"""The functions that the workers run."""
