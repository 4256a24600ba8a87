"""How a worker's process is: what it has in memory, and by how much its event loop is late."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable

_STATM = "/proc/self/statm"
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_memory() -> int:
    """Bytes that this process has in memory; where the system tells no more, the most that it had.

    Takes some microseconds.
    """
    try:
        with open(_STATM, "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:  # no Linux, or a container without /proc
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


class LoopLag:
    """By how much an event loop is late: how long what another thread asks of it waits for its turn.

    Args:
        clock: tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at: float | None = None
        self._seconds: float | None = None

    def asked(self) -> None:
        """The loop was asked something just now; what it has not answered yet counts from its own time."""
        if self._asked_at is None:
            self._asked_at = self._clock()

    def answered(self) -> None:
        """It has got to it."""
        if self._asked_at is not None:
            self._seconds, self._asked_at = self._clock() - self._asked_at, None

    @property
    def ms(self) -> int | None:
        """How late it was when it was asked last, or for how long it owes an answer; None at first."""
        waits_since = self._asked_at  # once: the loop's thread may answer meanwhile
        owed = 0.0 if waits_since is None else self._clock() - waits_since
        known = self._seconds
        if known is None:
            return round(owed * 1000) if owed > 0 else None
        return round(max(known, owed) * 1000)
