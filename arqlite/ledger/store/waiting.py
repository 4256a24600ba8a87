"""Rows of jobs that have not ended, as they are pushed to Redis."""

from __future__ import annotations

from typing import NamedTuple


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
