"""`Recorder`: rows follow what the worker tells, for jobs that keep no row themselves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from .. import telemetry
from ..service import Service
from ..telemetry import JobStarted, JobStopped
from . import changes, store
from .outage import DATABASE_AWAY
from .rows import JobRowMixin

logger = logging.getLogger("arqlite.ledger")

_SHORTEST_BACKOFF_S = 0.02

Told = dict[tuple[str, int], changes.Change]


class Recorder(Service):
    """Keeps the rows of jobs that do not use `JobRunner`, and closes those of jobs that never ran.

    One writer per process puts what was told within a few milliseconds into one transaction. Jobs
    never wait for it: while the database is slow or away the changes wait in memory, up to
    `capacity`; beyond that the oldest are dropped and counted in the log.

    A job that nobody wrote a row for gets one here. Rows that a `JobRunner` keeps are left alone
    while it keeps them: it closes them before the worker tells that the job stopped.

        class WorkerSettings:
            services = [Recorder(AsyncSessionLocal, Job)]

    Args:
        sessions: makes a new session, e.g. an `async_sessionmaker`.
        row_model: the application's row class.
        window: seconds to gather changes before they are written.
        capacity: how many changes may wait.
        max_backoff: seconds between two tries while the database is away, at most.
        flush_timeout: seconds that `stop` waits for the last changes to be written.
    """

    def __init__(
        self,
        sessions: Callable[[], AsyncSession],
        row_model: type[JobRowMixin],
        *,
        window: float = 0.002,
        capacity: int = 10_000,
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
        self._told: Told = {}
        self._dropped = 0
        self._in_flight = 0
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many changes are not written yet."""
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
            logger.error("the ledger missed %d changes: it was away when the worker ended", len(self._told))
            self._told.clear()

    async def run(self) -> None:
        """Write what arrives, one transaction at a time, until told to stop."""
        while self._told or not self._closing.is_set():
            await self._arrived.wait()
            self._arrived.clear()
            await self._pause(self.window)
            await self._write_all()

    def take(self, event: JobStarted | JobStopped) -> None:
        """Remember a change; called by telemetry, in the event loop."""
        key = (event.job_id, event.attempt)
        self._told[key] = changes.Change.of(event, self._told.get(key))
        if len(self._told) > self.capacity:
            del self._told[next(iter(self._told))]
            self._dropped += 1
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
            batch, self._told = self._told, {}
            self._in_flight = len(batch)
            try:
                await self._write(list(batch.values()))
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
                logger.exception("a batch of %d changes was refused, writing them one by one", len(batch))
                await self._write_singly(batch)
            finally:
                self._in_flight = 0
        if away_since is not None:
            logger.warning("the ledger is back after %0.1fs", time.monotonic() - away_since)
        if self._dropped:
            logger.error("the ledger missed %d changes: more came than could wait", self._dropped)
            self._dropped = 0

    def _put_back(self, batch: Told) -> None:
        """Older changes first; what was told of the same run meanwhile is newer and stays."""
        newer, self._told = self._told, batch
        for key, change in newer.items():
            self._told[key] = change.after(self._told.get(key))
        while len(self._told) > self.capacity:
            del self._told[next(iter(self._told))]
            self._dropped += 1

    async def _write_singly(self, batch: Told) -> None:
        for key, change in batch.items():
            try:
                await self._write([change])
            except DATABASE_AWAY:
                self._put_back({key: change})
            except Exception:
                logger.exception("job %s: a change could not be recorded and is left out", change.job_id)

    async def _write(self, batch: Sequence[changes.Change]) -> None:
        """One transaction; what ended before what began, for a job may do both within one window."""
        rows = changes.rows_of(batch)
        async with self.sessions() as db, db.begin():
            for statement, parameters in (
                (store.record_given_back, rows.given_back),
                (store.record_started, rows.started),
                (store.record_ended, rows.ended),
            ):
                await self._execute(db, statement, parameters)

    async def _execute(
        self, db: AsyncSession, statement: store.BatchStatement, parameters: Sequence[Mapping[str, Any]]
    ) -> None:
        if parameters:
            await statement(db, self.row_model, parameters)
