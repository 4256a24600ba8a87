"""Rows of jobs that wait: written before the push, closed when they never run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...model.states import Cause, JobState
from ..accepting import AcceptedJob
from ..changes import accepted_values
from ..payloads import describe_error
from ..redaction import NOTHING_HIDDEN, Redaction
from ..rows import JobRowMixin, utc_now
from .events import writing_to
from .moves import CANCELLED, FAILED, QUEUED, checked_id, move, table_of


async def insert_queued(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    *,
    job_id: str,
    job_type: str,
    function: str,
    queue: str | None,
    input_payload: Any = None,
    triggered_by: str = "system",
    user_id: int | None = None,
) -> None:
    """Write the QUEUED row of a job that is about to be pushed. Commit before you push."""
    now = utc_now()
    await db.execute(
        insert(table_of(row_model)).values(
            id=checked_id(job_id),
            job_type=job_type,
            function=function,
            queue=queue or "",
            status=QUEUED,
            input_payload=input_payload,
            triggered_by=triggered_by,
            user_id=user_id,
            created_at=now,
            queued_at=now,
            updated_at=now,
        )
    )


async def insert_accepted(
    db: AsyncSession,
    row_model: type[JobRowMixin],
    jobs: Sequence[AcceptedJob],
    *,
    redaction: Redaction = NOTHING_HIDDEN,
    pushed_ms: int | None = None,
) -> None:
    """Write the QUEUED rows of many jobs in one statement.

    The row of an earlier job of the same id begins anew; one of the same job, which others wrote meanwhile,
    keeps what it tells.

    Args:
        db: the session; its connection is used, and nothing is flushed.
        row_model: the row class.
        jobs: what was or is about to be accepted.
        redaction: what the ledger must not hold.
        pushed_ms: when they were known to be in Redis; None is not yet.
    """
    connection = await db.connection()
    writing = writing_to(table_of(row_model), connection.dialect)
    await writing.accept(
        connection,
        [(accepted_values(job, writing.bulk.moment, redaction, pushed_ms), job.columns) for job in jobs],
    )


async def fail_unpushed(
    db: AsyncSession, row_model: type[JobRowMixin], job_id: str, error: BaseException
) -> bool:
    """Say that the queue did not take the job. False if a worker has it after all.

    A push whose answer was lost may have arrived; the worker that claims the job then adopts the row.
    """
    return await move(
        db,
        row_model,
        [table_of(row_model).c.id == job_id, table_of(row_model).c.attempt == 0],
        leaving=[QUEUED],
        status=FAILED,
        state=JobState.DISCARDED,
        cause=Cause.REFUSED,
        error_payload=describe_error(error),
        finished_at=utc_now(),
    )


async def cancel_queued(
    db: AsyncSession, row_model: type[JobRowMixin], job_id: str, queue: str | None = None
) -> bool:
    """Cancel a job that waits, in this queue or in any. False if it is running, has ended, or is unknown."""
    columns = table_of(row_model).c
    which = [columns.id == job_id]
    if queue is not None:
        which.append(columns.queue == queue)
    return await move(
        db,
        row_model,
        which,
        leaving=[QUEUED],
        status=CANCELLED,
        state=JobState.CANCELLED,
        cause=Cause.CANCELLED,
        finished_at=utc_now(),
    )
