"""The way across from arq: draining its queues, running its producers' jobs, finding what would differ."""

from .bridge import ArqBridge

__all__ = ("ArqBridge",)
