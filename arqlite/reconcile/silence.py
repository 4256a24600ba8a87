"""How long nothing has changed. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable


class Silence:
    """Notices that something stays as it is for too long.

    Args:
        patience_s: for how many seconds it may.
        clock: tells the time in seconds.
    """

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._last: object = None
        self._since = clock()

    def lasts(self, what: object) -> bool:
        """Hear how it is now; tells whether it has been so for too long."""
        now = self._clock()
        if what != self._last:
            self._last, self._since = what, now
            return False
        return now - self._since >= self._patience_s
