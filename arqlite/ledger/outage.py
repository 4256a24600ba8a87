"""The database is away: which errors say so, and when to look again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
"""No connection, no free connection in time, or a file that another process keeps locked."""

# No connection, no resources, the server is stopping or starting, a conflict that was not settled in time; and
# tables or columns that are not there yet, which a migration brings.
_AWAY_STATES = ("08", "53", "57P0", "58", "55P03", "42P01", "42703", "3F000", "25006")
_CONFLICT_STATES = ("40001", "40P01")


def is_away(error: BaseException) -> bool:
    """Tell whether the database cannot be written at this moment, whatever is written."""
    if isinstance(error, DATABASE_AWAY):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or _state_of(error).startswith(_AWAY_STATES)


def is_conflict(error: BaseException) -> bool:
    """Tell whether two transactions stood in each other's way, and this one was given up: it may be tried again."""
    return isinstance(error, DBAPIError) and _state_of(error).startswith(_CONFLICT_STATES)


def _state_of(error: DBAPIError) -> str:
    """The SQLSTATE, by whatever name the driver has it; empty is not known."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""


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
