"""Jobs that are looked at, cancelled and tried again."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import ConflictError, NotFoundError
from app.models import Job
from app.services.task_service import TASKS, enqueue, pool_of
from arqlite.jobs import Job as QueueJob
from arqlite.ledger import LedgerStatus, store

CANCEL_TIMEOUT_S = 5.0


async def find(db: AsyncSession, job_id: str) -> Job:
    """The job's row; raises NotFoundError."""
    job = await store.find(db, Job, job_id)
    if job is None:
        raise NotFoundError(f"there is no job {job_id}")
    return job


async def cancel(db: AsyncSession, job_id: str) -> Job:
    """Cancel a job, waiting or running; returns its row.

    Raises:
        ConflictError: it has ended, or it did not end within some seconds of being told.
    """
    job = await find(db, job_id)
    task = TASKS.get(job.function)
    if not job.is_open or task is None:
        raise ConflictError(f"job {job_id} is {job.status} and cannot be cancelled")
    # The row first: a worker that takes the job from now on finds it CANCELLED and leaves it.
    was_waiting = await store.cancel_queued(db, Job, job_id)
    await db.commit()
    queued = QueueJob(job_id, pool_of(task))
    try:
        is_cancelled = await queued.abort(timeout=CANCEL_TIMEOUT_S)
    except TimeoutError as error:
        if not was_waiting:
            raise ConflictError(
                f"job {job_id} was told to stop and has not stopped within {CANCEL_TIMEOUT_S:.0f} s"
            ) from error
        is_cancelled = True
    if task.secrets:
        await queued.delete()  # the record of a cancelled job would hold its arguments for an hour
    if not (is_cancelled or was_waiting):
        raise ConflictError(f"job {job_id} ended before it could be cancelled")
    return await find(db, job_id)


async def retry(db: AsyncSession, job_id: str) -> QueueJob:
    """Enqueue a job anew, with the same arguments and a new id.

    Raises:
        ConflictError: it is still open, it succeeded, or the ledger does not hold all its arguments.
    """
    job = await find(db, job_id)
    task = TASKS.get(job.function)
    if task is None or job.status not in (LedgerStatus.FAILED, LedgerStatus.CANCELLED):
        raise ConflictError(f"job {job_id} is {job.status} and cannot be tried again")
    if task.secrets:
        raise ConflictError(f"job {job_id} cannot be tried again: the ledger does not hold its secrets")
    arguments = dict(job.input_payload or {})
    return await enqueue(task, arguments, triggered_by=f"retry:{job_id}", user_id=job.user_id)
