"""The rules of the offline model: one module for each thing that a reader looks for in a message."""
