"""The QUEUED row of a job that is on its way to Redis. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..errors import LedgerError
from ..model.states import JobState, LedgerStatus
from .accepting import AcceptedJob
from .changes import attempts_told
from .payloads import jsonable_or_text
from .redaction import Redaction
from .rows import JOB_ID_LENGTH, QUEUE_LENGTH


def queued_row(job: AcceptedJob, redaction: Redaction) -> dict[str, Any]:
    """Make the row of a job that is accepted, and not known to be in Redis.

    Args:
        job: the job.
        redaction: what the ledger must not hold; a job with such arguments has no `record` in its row.

    Raises:
        LedgerError: its id or its queue has a longer name than there is room for.
    """
    _check_room(job)
    args, kwargs, is_whole = redaction.applied(job.function, job.args, job.kwargs)
    enqueued_at = _moment(job.enqueued_ms)
    due_at = enqueued_at if job.due_ms is None else _moment(job.due_ms)
    state = JobState.SCHEDULED if due_at > enqueued_at else JobState.AVAILABLE
    return {
        "id": job.id,
        "queue": job.queue,
        "job_type": job.job_type or job.function,
        "function": job.function,
        "status": LedgerStatus.QUEUED,
        "state": state,
        "args": jsonable_or_text(list(args)),
        "kwargs": jsonable_or_text(dict(kwargs)),
        "tags": list(job.tags),
        "meta": jsonable_or_text(dict(job.meta)),
        "priority": job.priority,
        "triggered_by": job.triggered_by,
        "user_id": job.user_id,
        "parent": job.parent or None,
        "attempt": 0,
        "crashes": 0,
        "max_attempts": attempts_told(job.max_attempts),
        "enqueued_at": enqueued_at,
        "created_at": enqueued_at,
        "queued_at": enqueued_at,
        "scheduled_at": due_at,
        "updated_at": enqueued_at,
        "record": job.record if is_whole else None,
        "lock": None if job.lock is None else list(job.lock),
        **job.columns,
    }


def _check_room(job: AcceptedJob) -> None:
    for what, text, room in (("a job id", job.id, JOB_ID_LENGTH), ("a queue", job.queue, QUEUE_LENGTH)):
        if len(text) > room:
            raise LedgerError(f"{what} in the ledger has at most {room} characters, got {len(text)}")


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
