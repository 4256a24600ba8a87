"""Jobs that are looked at, cancelled and tried again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import database
from app.core.tasks import TASKS, Task
from app.errors import (
    ConflictError,
    DatabaseUnavailableError,
    InvalidQuestionError,
    NotFoundError,
    QueueUnavailableError,
)
from app.models import Job
from app.services.task_service import enqueue, pool_of
from arqlite.errors import ConfigurationError
from arqlite.jobs import Job as QueueJob
from arqlite.ledger import (
    AttemptRow,
    AuditEntry,
    LedgerFilter,
    LedgerStats,
    LedgerStatus,
    Page,
    is_away,
    store,
)

CANCEL_TIMEOUT_S = 5.0

BY_API = "api"


async def find(db: AsyncSession, job_id: str) -> Job:
    """The job's row; raises NotFoundError."""
    job = await store.find(db, Job, job_id)
    if job is None:
        raise NotFoundError(f"there is no job {job_id}")
    return job


def conditions(**asked: Any) -> LedgerFilter:
    """What is asked for, checked; None is not asked for. Raises InvalidQuestionError."""
    with _asking():
        return LedgerFilter.of(**{name: value for name, value in asked.items() if value is not None})


async def list_jobs(wanted: LedgerFilter, *, after: str | None, limit: int) -> Page[Any]:
    """A page of jobs, the newest first; raises InvalidQuestionError."""
    with _asking():
        return await database.ledger.jobs(wanted, after=after, limit=limit)


async def attempts(job: Job) -> Sequence[AttemptRow]:
    """Each start of a job."""
    with _asking():
        return await database.ledger.attempts(job.id, queue=job.queue)


async def stats(
    *,
    since: datetime | None,
    until: datetime | None,
    per: Literal["minute", "hour", "day"] | None,
    by: Sequence[Literal["queue", "function"]],
    queue: str | None,
    function: str | None,
) -> LedgerStats:
    """What is open and what ended; raises InvalidQuestionError."""
    with _asking():
        return await database.ledger.stats(
            since=since, until=until, per=per, by=by, queue=queue, function=function
        )


async def cancel(db: AsyncSession, job_id: str, *, by: str = BY_API) -> Job:
    """Cancel a job, waiting or running; returns its row. The audit tells who asked for it.

    Raises:
        ConflictError: it has ended, or it did not end within some seconds of being told.
        QueueUnavailableError: it runs, and Redis, which alone could tell its worker, is away.
    """
    job = await find(db, job_id)
    task = TASKS.get(job.function)
    if not job.is_open or task is None:
        raise ConflictError(f"job {job_id} is {job.status} and cannot be cancelled")
    # The row first: a worker that takes the job from now on finds it CANCELLED and leaves it.
    was_waiting = await store.cancel_queued(db, Job, job_id, job.queue)
    if was_waiting:
        await _note(db, "job.cancel", job, by)
    await db.commit()
    is_cancelled = await _cancel_in_queue(job_id, task, was_waiting=was_waiting)
    if not (is_cancelled or was_waiting):
        raise ConflictError(f"job {job_id} ended before it could be cancelled")
    if not was_waiting:
        await _note(db, "job.cancel", job, by)
        await db.commit()
    return await find(db, job_id)


async def retry(db: AsyncSession, job_id: str, *, by: str = BY_API) -> QueueJob[Any]:
    """Enqueue a job anew in the session's transaction, with the same arguments and a new id.

    Raises:
        ConflictError: it is still open, it succeeded, or the ledger does not hold all its arguments.
    """
    job = await find(db, job_id)
    task = TASKS.get(job.function)
    if task is None or job.status not in (LedgerStatus.FAILED, LedgerStatus.CANCELLED):
        raise ConflictError(f"job {job_id} is {job.status} and cannot be tried again")
    if task.secrets:
        raise ConflictError(f"job {job_id} cannot be tried again: the ledger does not hold its secrets")
    arguments = dict(job.kwargs or job.input_payload or {})
    await _note(db, "job.retry", job, by)
    return await enqueue(task, arguments, triggered_by=f"retry:{job_id}", user_id=job.user_id, session=db)


async def _cancel_in_queue(job_id: str, task: Task, *, was_waiting: bool) -> bool:
    """Take the job out of its queue, or have its worker told; what waited is cancelled by its row already."""
    queued: QueueJob[Any] = QueueJob(job_id, pool_of(task))
    try:
        is_cancelled = await queued.abort(timeout=CANCEL_TIMEOUT_S)
        if task.secrets:
            await queued.delete()  # the record of a cancelled job would hold its arguments for an hour
    except TimeoutError as error:
        if not was_waiting:
            raise ConflictError(
                f"job {job_id} was told to stop and has not stopped within {CANCEL_TIMEOUT_S:.0f} s"
            ) from error
    except (RedisError, OSError) as error:
        if not was_waiting:
            raise QueueUnavailableError(f"the {task.queue} queue cannot be told: {error}") from error
    else:
        return is_cancelled
    return was_waiting


async def _note(db: AsyncSession, action: str, job: Job, by: str) -> None:
    await store.audit(db, [AuditEntry(action, job.queue, by, job_id=job.id)])


@contextmanager
def _asking() -> Iterator[None]:
    """A question to the ledger; what can go wrong, in the application's words."""
    try:
        yield
    except ConfigurationError as error:
        raise InvalidQuestionError(str(error)) from error
    except Exception as error:
        if not is_away(error):
            raise
        raise DatabaseUnavailableError.of(error) from error
