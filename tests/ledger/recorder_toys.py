"""Events as a worker tells them, and a recorder that listens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ledger_toys import Row
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from arqlite import telemetry
from arqlite.ledger import AttemptRow, JobRowMixin, Recorder
from arqlite.ledger.redaction import Redaction
from arqlite.telemetry import JobStarted, JobStopped

Sessions = async_sessionmaker[AsyncSession]
START_MS = 1_700_000_000_000


def started(
    job_id: str = "job-1",
    attempt: int = 1,
    worker: str = "host:1:a",
    at: int = 0,
    enqueued: int | None = 0,
    **others: Any,
) -> JobStarted:
    """A start; times are in ms after START_MS, and None is not known."""
    return JobStarted(
        "arq:queue", job_id, "work", attempt, worker, START_MS + at, _moment(enqueued), **others
    )


def stopped(
    state: Any = "completed",
    job_id: str = "job-1",
    *,
    attempt: int = 1,
    worker: str = "host:1:a",
    result: Any = None,
    error: BaseException | None = None,
    at: int = 50,
    enqueued: int | None = 0,
    took: int = 50,
    **others: Any,
) -> JobStopped:
    """An end; times as in `started`."""
    at_ms, enqueue_ms = START_MS + at, _moment(enqueued)
    return JobStopped(
        "arq:queue", job_id, "work", attempt, worker, state, took, result, error, at_ms, enqueue_ms, **others
    )


def _moment(enqueued: int | None) -> int:
    return 0 if enqueued is None else START_MS + enqueued


class Outage:
    """Sessions that fail while the database is away."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.is_away = False
        self.tries = 0
        self.tried = asyncio.Event()

    def __call__(self) -> AsyncSession:
        self.tries += 1
        self.tried.set()
        if self.is_away:
            raise OperationalError("SELECT", {}, Exception("gone"))
        return self.sessions()


class ToyLedger:
    """What of a ledger a recorder needs."""

    def __init__(
        self,
        engine: AsyncEngine,
        sessions: Callable[[], AsyncSession],
        row_model: type[JobRowMixin] = Row,
        redact: Any = (),
    ) -> None:
        self.engine = engine
        self.sessions = sessions
        self.row_model = row_model
        self.redaction = Redaction(redact)
        self.is_strict = False
        self.owns_engine = True


async def attempts_of(sessions: Sessions, job_id: str = "job-1") -> list[AttemptRow]:
    """What the ledger tells of the starts of a job, the first one first."""
    async with sessions() as session:
        asked = select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.attempt)
        return list((await session.execute(asked)).scalars())


async def tell(recorder: Recorder, *events: object) -> None:
    """Tell events one by one, each written before the next."""
    for event in events:
        telemetry.execute(event)
        await written(lambda: recorder.waiting == 0)


async def written(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110 (there is no event for what another task wrote)
            await asyncio.sleep(0.001)
