"""What is told of a job to who waits for it: its state, how far it is, what it gave."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ..connections import ArqRedis
from ..inspector import Inspector
from ..jobs import Job, Progress
from ..model.records import JobView
from ..model.states import JobState


class JobProgress(BaseModel):
    """How far a job said it is.

    Attributes:
        current: what is done.
        total: what there is to do in all; None when that is not known.
        fraction: from 0 to 1; None when the total is not known.
        message: what it is doing.
        at: when it said so.
    """

    current: float
    total: float | None
    fraction: float | None
    message: str
    at: datetime

    @classmethod
    def of(cls, progress: Progress) -> JobProgress:
        """Take it from what the job told."""
        return cls(
            current=progress.current,
            total=progress.total,
            fraction=progress.fraction,
            message=progress.message,
            at=progress.at,
        )


class JobStatusOut(BaseModel):
    """A job, as those may see it who wait for it; not what it was given.

    Attributes:
        job_id, queue, function: which it is.
        state: where it is in its life; None when nothing is kept of it any more.
        attempt: how many attempts were begun, 0 before the first.
        enqueued_at, scheduled_at, started_at, finished_at: when; None what has not happened.
        progress: how far it said it is; None when it said nothing.
        result: what it returned, once it is completed and as long as that is kept.
        error: what its last attempt failed with, while it waits for another one or has failed.
    """

    job_id: str
    queue: str
    function: str | None = None
    state: JobState | None = None
    attempt: int = 0
    enqueued_at: datetime | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: JobProgress | None = None
    result: Any = None
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it will not run any more by itself."""
        return self.state is None or self.state.is_final


async def status_of(pool: ArqRedis, job_id: str, *, shows_errors: bool) -> JobStatusOut | None:
    """Ask Redis for a job, and where that has forgotten it or does not have it yet, the ledger.

    Args:
        pool: of its queue.
        job_id: its id.
        shows_errors: whether errors are told.

    Returns:
        What is known; None when nothing is.
    """
    view = await Inspector(pool).job(job_id)
    if view is None:
        return None if pool.ledger is None else await _status_of_row(pool, job_id, shows_errors)
    progress = await Job(job_id, pool).progress()
    return JobStatusOut(
        job_id=job_id,
        queue=view.queue,
        function=view.function,
        state=view.state,
        attempt=view.attempt,
        enqueued_at=view.inserted_at,
        scheduled_at=view.scheduled_at,
        started_at=view.attempted_at,
        finished_at=view.finished_at,
        progress=None if progress is None else JobProgress.of(progress),
        result=jsonable(view.result) if view.state is JobState.COMPLETED else None,
        error=_error_of(view) if shows_errors else None,
    )


def jsonable(value: Any) -> Any:
    """Write a result as JSON has it; what JSON cannot hold becomes text."""
    return to_jsonable_python(value, serialize_unknown=True)


def _error_of(view: JobView) -> str | None:
    if view.state in (JobState.DISCARDED, JobState.CANCELLED) and isinstance(view.result, BaseException):
        return _in_words(type(view.result).__name__, str(view.result))
    if view.state is JobState.COMPLETED or not view.errors:
        return None
    return _in_words(view.errors[-1].type, view.errors[-1].message)


async def _status_of_row(pool: ArqRedis, job_id: str, shows_errors: bool) -> JobStatusOut | None:
    history = await pool.ledger.job(job_id, queue=pool.default_queue_name)
    if history is None:
        return None
    row = history.row
    error = row.error_payload if shows_errors else None
    return JobStatusOut(
        job_id=job_id,
        queue=row.queue,
        function=row.function,
        state=row.state,
        attempt=row.attempt,
        enqueued_at=row.created_at,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=jsonable(row.output_payload),
        error=_in_words(error.get("type", ""), error.get("message", "")) if error else None,
    )


def _in_words(kind: str, message: str) -> str:
    return f"{kind}: {message}" if message else kind
