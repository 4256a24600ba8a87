"""Look at queues and act on them: for operators, the command line, the dashboard and tests."""

from .inspector import Inspector

__all__ = ("Inspector",)
