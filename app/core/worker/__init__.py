"""The two workers: one for the base queue, one for e-mail."""
