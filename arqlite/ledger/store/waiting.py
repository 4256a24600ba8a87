"""Rows of jobs that have not ended, as they are pushed to Redis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, CursorResult, Table, delete, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import Cause, JobState
from ..indexes import IS_UNPUSHED
from ..rows import utc_now
from .moves import CANCELLED


class StoredJob(NamedTuple):
    """A job as its row keeps it for Redis.

    Attributes:
        job_id: its id.
        record: the job as the queue stores it.
        due_ms: when it is or was due, in ms since 1970; None is when it was enqueued.
        lock: of a unique job: `[digest, period_ms, states, by_due]`.
        memory: what the queue remembers of its runs; empty is nothing.
    """

    job_id: str
    record: bytes
    due_ms: int | None = None
    lock: list[object] | None = None
    memory: str = ""


class Unpushed(NamedTuple):
    """A job that may not be in Redis.

    Attributes:
        job: the job.
        function: its function.
        enqueued_at: when it was enqueued: an id may be used again.
    """

    job: StoredJob
    function: str
    enqueued_at: datetime


async def unpushed(
    db: AsyncSession, table: Table, queue: str, *, before: datetime, after: datetime, limit: int
) -> list[Unpushed]:
    """Read jobs of a queue that were committed and are not known to be in Redis, the oldest first.

    Args:
        db: the session.
        table: the table of jobs.
        queue: the queue.
        before: those from before this moment.
        after: and those from after this one, which are of clocks that are ahead.
        limit: how many at most.

    On PostgreSQL they are kept from everybody who reads so, until the transaction ends; those that another
    one keeps are left out.
    """
    columns = table.c
    statement = (
        select(
            columns.id,
            columns.record,
            columns.scheduled_at,
            columns.enqueued_at,
            columns.lock,
            columns.function,
        )
        .where(
            columns.queue == queue,
            _is_unpushed(),
            or_(columns.queued_at < before, columns.queued_at > after),
            columns.attempt == 0,
            columns.record.is_not(None),
            columns.enqueued_at.is_not(None),
        )
        .order_by(columns.queued_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [
        Unpushed(StoredJob(job_id, bytes(record), _due_ms(due_at, enqueued_at), lock), function, enqueued_at)
        for job_id, record, due_at, enqueued_at, lock, function in (await db.execute(statement)).all()
    ]


async def mark_pushed(
    db: AsyncSession, table: Table, queue: str, job_ids: Sequence[str], newest: datetime
) -> None:
    """Note that jobs are in Redis, as far as their rows do not say so.

    Args:
        newest: when the last of them was enqueued; a row of a later job that has one of their ids is left
            alone, and so is one that somebody else holds.
    """
    columns = table.c
    # Who holds a row writes what is later than this, and must not be waited for: both hold many.
    free = (
        select(columns.id)
        .where(
            columns.queue == queue,
            columns.id.in_(job_ids),
            columns.pushed_at.is_(None),
            columns.enqueued_at <= newest,
        )
        .order_by(columns.id)
        .with_for_update(skip_locked=True)
    )
    await db.execute(
        update(table)
        .where(columns.queue == queue, columns.id.in_(free))
        .values(pushed_at=utc_now(), updated_at=columns.updated_at)
    )


async def withdrawn(
    db: AsyncSession, table: Table, queue: str, job_ids: Sequence[str]
) -> set[tuple[str, datetime]]:
    """Tell which jobs somebody cancelled while they were being pushed.

    Returns:
        Their ids, each with when the job was enqueued: it may be another one than the caller means.
    """
    columns = table.c
    found = await db.execute(
        select(columns.id, columns.enqueued_at).where(
            columns.queue == queue,
            columns.id.in_(job_ids),
            columns.status == CANCELLED,
            columns.cause == Cause.CANCELLED,
            columns.attempt == 0,
        )
    )
    return {(job_id, enqueued_at) for job_id, enqueued_at in found.all()}


async def close_duplicate(
    db: AsyncSession, table: Table, queue: str, job_id: str, enqueued_at: datetime, reason: str
) -> None:
    """Close the row of a job that its queue did not take, since another one is there."""
    now = utc_now()
    await db.execute(
        update(table)
        .where(*_of_unpushed_job(table, queue, job_id), table.c.enqueued_at == enqueued_at)
        .values(
            status=CANCELLED, state=JobState.CANCELLED, cause=Cause.DUPLICATE,
            error_payload={"type": "JobConflict", "message": reason, "traceback": ""},
            finished_at=now, updated_at=now,
        )
    )  # fmt: skip


async def retract(db: AsyncSession, table: Table, queue: str, job_id: str, enqueued_at: datetime) -> None:
    """Remove the row of a job that was not accepted after all."""
    await db.execute(
        delete(table).where(*_of_unpushed_job(table, queue, job_id), table.c.enqueued_at == enqueued_at)
    )


async def find_unpushed(db: AsyncSession, table: Table, queue: str, job_id: str) -> StoredJob | None:
    """Read a job that was committed, and is not known to be in Redis yet."""
    columns = table.c
    found = await db.execute(
        select(columns.id, columns.record, columns.scheduled_at, columns.enqueued_at, columns.lock).where(
            *_of_unpushed_job(table, queue, job_id), columns.record.is_not(None)
        )
    )
    row = found.first()
    if row is None:
        return None
    _, record, due_at, enqueued_at, lock = row
    return StoredJob(job_id, bytes(record), _due_ms(due_at, enqueued_at), lock)


async def cancel_unpushed(db: AsyncSession, table: Table, queue: str, job_id: str) -> bool:
    """Cancel a job that is not known to be in Redis. False if it is, or is not open."""
    now = utc_now()
    done = await db.execute(
        update(table)
        .where(*_of_unpushed_job(table, queue, job_id))
        .values(
            status=CANCELLED, state=JobState.CANCELLED, cause=Cause.CANCELLED, finished_at=now, updated_at=now
        )
    )  # fmt: skip
    return cast("CursorResult[Any]", done).rowcount == 1


def _of_unpushed_job(table: Table, queue: str, job_id: str) -> list[ColumnElement[bool]]:
    return [table.c.id == job_id, table.c.queue == queue, table.c.attempt == 0, _is_unpushed()]


def _is_unpushed() -> Any:
    """In the words of the index of such rows, so that a prepared statement finds it, too."""
    return literal_column(IS_UNPUSHED)


def _due_ms(due_at: datetime | None, enqueued_at: datetime) -> int | None:
    if due_at is None or due_at == enqueued_at:
        return None
    return round(due_at.astimezone(UTC).timestamp() * 1000)
