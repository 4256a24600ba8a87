"""Rows and Redis compared: what one of them has lost, the other gives back."""
