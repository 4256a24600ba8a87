"""The database is away: which errors say so, and when to look again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ..telemetry import LedgerAway, LedgerBack, execute, has_handlers
from ..utils import timestamp_ms

logger = logging.getLogger("arqlite.ledger")

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
"""No connection, no free connection in time, or a file that another process keeps locked."""

# No connection, nobody let in, no resources, the server is stopping or starting or gave a statement up, a
# conflict that was not settled in time; and tables or columns that one may not write yet, or that are not
# there yet, which a migration brings.
_AWAY_STATES = (
    "08", "28", "3D", "53", "57", "58", "55P03", "42501", "42P01", "42703", "3F000", "25006",
)  # fmt: skip
# What is written is too large or too deep: the next time it is so, too. psycopg has it among what passes,
# and conflicts, which are over at once.
_LIMIT_STATES = ("54",)
_CONFLICT_STATES = ("40001", "40P01")
_NO_TABLE_STATES = ("42P01", "42703", "3F000")
_NO_TABLE_WORDS = ("no such table", "no such column", "has no column named")

NO_TABLES = "its tables are missing or too old"
UPGRADE = "run `arqlite db upgrade`"


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that the database cannot be used at this moment, whatever is asked of it."""
    state = _state_of(error)
    if state.startswith((*_LIMIT_STATES, *_CONFLICT_STATES)):
        return False
    if isinstance(error, DATABASE_AWAY):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return state.startswith(_AWAY_STATES)


def is_conflict(error: BaseException) -> bool:
    """Tell whether the database gave this transaction up for another one: it may be tried again."""
    return _state_of(error).startswith(_CONFLICT_STATES)


def lacks_tables(error: BaseException) -> bool:
    """Tell whether a statement met no table, or no column, of that name: it is there, and not upgraded."""
    said = str(getattr(error, "orig", ""))
    return _state_of(error) in _NO_TABLE_STATES or any(words in said for words in _NO_TABLE_WORDS)


def _state_of(error: BaseException) -> str:
    """The SQLSTATE, by whatever name the driver has it; empty is not known."""
    # An error of the driver's own is one that SQLAlchemy did not wrap: while it connects, it may not.
    told = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(told, "sqlstate", None) or getattr(told, "pgcode", None)
    return state if isinstance(state, str) else ""


def trouble_of(error: BaseException) -> str:
    """Say in two words what is the matter with the ledger: waiting mends no tables."""
    return "cannot be used" if lacks_tables(error) else "is away"


def words_of(error: BaseException) -> str:
    """Say in a line of a log what the database said, without what SQLAlchemy puts around it; and what to do
    where nobody has made its tables.
    """
    advice = f"; {NO_TABLES}: {UPGRADE}" if lacks_tables(error) else ""
    return f"{bare_words_of(error)}{advice}"


def bare_words_of(error: BaseException) -> str:
    """Say on one line what the database said, without what SQLAlchemy puts around it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
        error = error.__cause__ or error  # asyncpg's own have names of more meaning
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


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


class Absence:
    """Tells the log and telemetry of an outage, once when it begins and once when it ends.

    Args:
        queue: whose jobs are not recorded meanwhile; empty is those of every queue.
        meanwhile: what becomes of jobs until it is back, for the log.
    """

    def __init__(self, queue: str, meanwhile: str) -> None:
        self._queue = queue
        self._meanwhile = meanwhile
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the database is away."""
        return self._since is not None

    def begin(self, error: BaseException) -> None:
        """Note that the database is away, and why."""
        if self._since is None:
            self._since = time.monotonic()
            logger.warning("the ledger %s, %s: %s", trouble_of(error), self._meanwhile, words_of(error))
            if has_handlers(LedgerAway):
                execute(LedgerAway(self._queue, error, timestamp_ms()))

    def end(self) -> None:
        """Note that the database answers."""
        if self._since is not None:
            away_s = time.monotonic() - self._since
            self._since = None
            logger.warning("the ledger is back after %0.1fs", away_s)
            if has_handlers(LedgerBack):
                execute(LedgerBack(self._queue, int(away_s * 1_000), timestamp_ms()))
