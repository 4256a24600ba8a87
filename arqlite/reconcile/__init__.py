"""Rows and Redis, held together: what one of them has lost, the other gives back."""

from .reconciler import Reconciler

__all__ = ("Reconciler",)
