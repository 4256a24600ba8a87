"""Rows and Redis, held together: what one of them has lost, the other gives back."""

from .reconciler import REMEMBER_MS, Reconciler

__all__ = ("REMEMBER_MS", "Reconciler")
