"""`Recorder`: rows follow what the worker tells, for jobs that keep no row themselves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncSession

from .. import telemetry
from ..service import Service
from ..telemetry import JobStarted, JobStopped
from . import store
from .changes import rows_told
from .outage import DATABASE_AWAY
from .rows import JobRowMixin

logger = logging.getLogger("arqlite.ledger")

_SHORTEST_BACKOFF_S = 0.02

_EVENTS_AT_ONCE = 2_000
"""Events in one transaction: enough to share its cost, few enough not to hold up jobs while being packed."""

Told = JobStarted | JobStopped


class Recorder(Service):
    """Keeps the rows of jobs that do not use `JobRunner`, and closes those of jobs that never ran.

    One writer per process puts what was told within a few milliseconds into one transaction. Jobs
    never wait for it: while the database is slow or away the events wait in memory, up to
    `capacity`; beyond that the oldest are dropped and counted in the log.

    A job that nobody wrote a row for gets one here. Rows that a `JobRunner` keeps are left alone
    while it keeps them: it closes them before the worker tells that the job stopped.

        class WorkerSettings:
            services = [Recorder(AsyncSessionLocal, Job)]

    Args:
        sessions: makes a new session, e.g. an `async_sessionmaker`.
        row_model: the application's row class.
        window: seconds to gather changes before they are written.
        capacity: how many events may wait; a run of a job has two.
        max_backoff: seconds between two tries while the database is away, at most.
        flush_timeout: seconds that `stop` waits for the last changes to be written.
    """

    def __init__(
        self,
        sessions: Callable[[], AsyncSession],
        row_model: type[JobRowMixin],
        *,
        window: float = 0.002,
        capacity: int = 20_000,
        max_backoff: float = 5.0,
        flush_timeout: float = 5.0,
    ) -> None:
        super().__init__()
        self.sessions = sessions
        self.row_model = row_model
        self.window = window
        self.capacity = capacity
        self.max_backoff = max_backoff
        self.flush_timeout = flush_timeout
        self._told: deque[Told] = deque(maxlen=capacity)
        self._dropped = 0
        self._in_flight = 0
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many events are not written yet."""
        return len(self._told) + self._in_flight

    async def start(self) -> None:
        """Begin to listen and to write."""
        if self._task is None:
            # Anew at each start: one settings class may serve several loops, one after the other.
            self._arrived = asyncio.Event()
            self._closing = asyncio.Event()
            telemetry.attach(self._handler_id, (JobStarted, JobStopped), self.take)
        await super().start()

    async def stop(self) -> None:
        """Stop listening, write what was told, and end."""
        telemetry.detach(self._handler_id)
        self._closing.set()
        self._arrived.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self.flush_timeout)
        await super().stop()
        if self._told:
            logger.error("the ledger missed %d events: it was away when the worker ended", len(self._told))
            self._told.clear()

    async def run(self) -> None:
        """Write what arrives, one transaction at a time, until told to stop."""
        while self._told or not self._closing.is_set():
            await self._arrived.wait()
            self._arrived.clear()
            await self._pause(self.window)
            await self._write_all()

    def take(self, event: Told) -> None:
        """Remember what a worker told; called by telemetry, in the event loop."""
        if len(self._told) == self.capacity:
            self._dropped += 1  # the queue is full: the oldest makes room
        self._told.append(event)
        self._arrived.set()

    @property
    def _handler_id(self) -> str:
        return f"arqlite.ledger.recorder:{id(self)}"

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when the worker is waiting for us to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def _write_all(self) -> None:
        """Write until nothing waits; during an outage try again, and say so once."""
        delay = _SHORTEST_BACKOFF_S
        away_since: float | None = None
        while self._told:
            batch = self._next_batch()
            self._in_flight = len(batch)
            try:
                await self._write(batch)
            except DATABASE_AWAY as error:
                self._put_back(batch)
                if away_since is None:
                    away_since = time.monotonic()
                    logger.warning("the ledger is away, jobs go on and are recorded later: %r", error)
                await self._pause(delay)
                await asyncio.sleep(_SHORTEST_BACKOFF_S)  # also while closing, which ends every pause at once
                delay = min(delay * 2, self.max_backoff)
            except asyncio.CancelledError:
                self._put_back(batch)
                raise
            except Exception:
                logger.exception("a batch of %d events was refused, writing them one by one", len(batch))
                await self._write_singly(batch)
            finally:
                self._in_flight = 0
        if away_since is not None:
            logger.warning("the ledger is back after %0.1fs", time.monotonic() - away_since)
        if self._dropped:
            logger.error("the ledger missed %d events: more came than could wait", self._dropped)
            self._dropped = 0

    def _next_batch(self) -> list[Told]:
        """What was told first, taken out of what waits."""
        count = min(len(self._told), _EVENTS_AT_ONCE)
        return [self._told.popleft() for _ in range(count)]

    def _put_back(self, batch: list[Told]) -> None:
        """In front of what was told meanwhile; of more than may wait, the oldest are left out."""
        room = self.capacity - len(self._told)
        self._dropped += max(0, len(batch) - room)
        self._told.extendleft(reversed(batch[-room:] if room else []))

    async def _write_singly(self, batch: list[Told]) -> None:
        for number, event in enumerate(batch):
            try:
                await self._write([event])
            except DATABASE_AWAY:
                self._put_back(batch[number:])
                return
            except Exception:
                logger.exception("job %s: a change could not be recorded and is left out", event.job_id)

    async def _write(self, batch: Iterable[Told]) -> None:
        async with self.sessions() as db, db.begin():
            for rows in rows_told(batch):
                await store.record_told(db, self.row_model, rows)
