"""Which run is this? In a worker the queue's job tells; elsewhere a run is its own."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import UTC, datetime

from ..model.context import RunningJob, current_job
from .adoption import Run
from .changes import attempts_told


def run_of(name: str, part: str | None = None) -> Run:
    """The identity of a run that begins now.

    Args:
        name: stands for the function outside a worker.
        part: which part of the queue's job it is; without one it is the next by number.

    Raises:
        ValueError: this part of the job has begun already, or its name is none.
    """
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
    suffix = _part_within(job, part)
    return Run(
        job_id=job.job_id if suffix is None else f"{job.job_id}:{suffix}",
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
        part_of=None if suffix is None else job.job_id,
        is_told=suffix is None,
    )


def _moment(at_ms: int) -> datetime | None:
    """A time in ms since 1970; 0 is none, or not known."""
    return datetime.fromtimestamp(at_ms / 1000, UTC) if at_ms > 0 else None


def _part_within(job: RunningJob, part: str | None) -> str | None:
    """Which run within the queue job it is: the first has the job's id, the second `<id>:2`, and so on.

    The numbers are the same when the queue job runs again, so each part finds its own row; where their order
    is not the same, their names are.
    """
    if part is not None:
        job.parts.name(part)
        return part
    number = job.parts.number()
    return None if number == 1 else str(number)
