"""Which run is this? In a worker the queue's job tells; elsewhere a run is its own."""

from __future__ import annotations

import os
import socket
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime

from ..model.context import RunningJob, current_job
from .adoption import Run
from .changes import attempts_told

_runs_so_far: ContextVar[tuple[str, int, int] | None] = ContextVar("arqlite_ledger_runs", default=None)


def run_of(name: str) -> Run:
    """The identity of a run that begins now; `name` stands for the function outside a worker."""
    job = current_job()
    if job is None:
        return Run(
            job_id=uuid.uuid4().hex,
            function=name,
            queue="",
            attempt=1,
            crashes=0,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            is_told=False,
        )
    number = _number_within(job)
    return Run(
        job_id=job.job_id if number == 1 else f"{job.job_id}:{number}",
        function=job.function,
        queue=job.queue_name,
        attempt=job.job_try,
        crashes=job.crashes,
        worker=job.worker,
        enqueued_at=_moment(job.enqueue_ms),
        max_attempts=attempts_told(job.max_attempts),
        priority=job.priority,
        tags=job.tags,
        meta=job.meta,
        revived_at=_moment(job.revived_ms),
        part_of=None if number == 1 else job.job_id,
        is_told=number == 1,
    )


def _moment(at_ms: int) -> datetime | None:
    """A time in ms since 1970; 0 is none, or not known."""
    return datetime.fromtimestamp(at_ms / 1000, UTC) if at_ms > 0 else None


def _number_within(job: RunningJob) -> int:
    """Which run within the queue job it is: the first has the job's id, the second `<id>:2`, and so on.

    The numbers are the same when the queue job runs again, so each part finds its own row.
    """
    so_far = _runs_so_far.get()
    this = job.job_id, job.job_try
    number = so_far[2] + 1 if so_far is not None and so_far[:2] == this else 1
    _runs_so_far.set((*this, number))
    return number
