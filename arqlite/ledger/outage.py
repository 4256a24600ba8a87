"""The database is away: which errors say so, and when to look again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
"""No connection, no free connection in time, or a file that another process keeps locked."""


class Outage:
    """Paces the jobs that wait for the database: each pause is about as long as the outage so far.

    It knows one outage at a time, from the first job that met it to the first that got through.

    Args:
        shortest: seconds of the first pauses.
        longest: seconds of a pause, at most.
        clock: tells the time in seconds.
    """

    def __init__(
        self, shortest: float = 2.0, longest: float = 30.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.shortest = shortest
        self.longest = longest
        self._clock = clock
        self._since: float | None = None

    def pause(self) -> float:
        """Note that the database is away; returns the seconds to wait, at least half of them at random."""
        now = self._clock()
        if self._since is None:
            self._since = now
        return min(max(now - self._since, self.shortest), self.longest) * random.uniform(0.5, 1.0)

    def end(self) -> None:
        """Note that the database answers."""
        self._since = None
