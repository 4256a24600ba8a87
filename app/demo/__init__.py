"""`scripts/demo`: the whole application at work, told as it happens."""
