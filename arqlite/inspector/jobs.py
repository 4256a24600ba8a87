"""Find jobs, and cancel, retry, change or delete them, one by one or by a filter."""

from __future__ import annotations

from .base import Looking


class JobManagement(Looking):
    """What is done to jobs."""
