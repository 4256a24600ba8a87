"""Scheduled jobs become available in time: every turn stages what is due, and this brings about the turn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

# Idle workers would all wake for one due job; a little jitter lets the first take the rest of them along.
_JITTER_S = 0.002


class Stager:
    """A timer for the next scheduled job.

    Args:
        wake: called when a job is due.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None

    def arm(self, next_due_ms: int) -> None:
        """Wake in so many ms; -1 means that nothing is scheduled."""
        self.stop()
        if next_due_ms >= 0:
            delay = next_due_ms / 1000 + random.random() * _JITTER_S
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def stop(self) -> None:
        """Forget the timer."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        self._wake()
