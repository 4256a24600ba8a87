"""A job that was just enqueued, as its row will tell of it. No SQL here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..model.states import JobState
from .rows import BY_QUEUE

NO_COLUMNS: Mapping[str, Any] = {}


class AcceptedJob(NamedTuple):
    """A job for a QUEUED row; what of it the ledger must not hold is taken out where it is written.

    Attributes:
        id, queue, function: which job, and where it went.
        job_type: what kind of work it is; empty is its function.
        args, kwargs, tags, meta, priority: as it was enqueued with; the very objects, made JSON when written.
        max_attempts: how often it may be tried; None where that is not known.
        triggered_by: who asked for it.
        user_id: for whom it runs, if for anybody.
        parent: the id of the job that enqueued it; empty if none did.
        enqueued_ms: when it was enqueued, in ms since 1970: the very number that its record tells.
        due_ms: when it is due, in ms since 1970; None is when it was enqueued.
        record: the job as the queue stores it.
        lock: of a unique job, what `StoredJob.lock` is; None for one that is not.
        columns: values for further columns of the row model, by name.
        state: where it waits; None is by when it is due.
    """

    id: str
    queue: str
    function: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = NO_COLUMNS
    enqueued_ms: int = 0
    due_ms: int | None = None
    record: bytes = b""
    lock: Sequence[object] | None = None
    job_type: str = ""
    tags: Sequence[str] = ()
    meta: Mapping[str, Any] = NO_COLUMNS
    priority: int = 0
    max_attempts: int | None = None
    triggered_by: str = BY_QUEUE
    user_id: int | None = None
    parent: str = ""
    columns: Mapping[str, Any] = NO_COLUMNS
    state: JobState | None = None
