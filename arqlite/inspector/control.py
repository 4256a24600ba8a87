"""Steer whole queues while they run: pause, resume, scale, drain, stop."""

from __future__ import annotations

from .base import Looking


class QueueControl(Looking):
    """What is done to queues."""
