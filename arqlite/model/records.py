"""A job as others see it: enqueued (`JobDef`), ended (`JobResult`), and whole (`JobView`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .states import JobState


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One run of a job that failed.

    Attributes:
        attempt: which one it was, from 1.
        at: when it was over (aware).
        type: the name of the exception's class.
        message: what the exception says.
        traceback: as Python shows it; empty when there was none.
        worker: the worker's name, `host:pid:session`.
    """

    attempt: int
    at: datetime
    type: str
    message: str
    traceback: str
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """Everything that is known of a job.

    Attributes:
        id, queue, function, args, kwargs, tags, meta, priority: as it was enqueued.
        state: where it is in its life.
        attempt: how many attempts were begun and count, 0 before the first; snoozes and dead workers do not.
        max_attempts: how many it may have. What its task said when it was enqueued, if it was given none of
            its own: a worker with a newer task goes by that. None is for its worker to say, of a job enqueued
            by name or of a bare function.
        snoozes: how often it asked to run later.
        crashes: how many workers died while they ran it.
        errors: its failed attempts, oldest first.
        inserted_at: when it was enqueued (aware); so are the others.
        scheduled_at: when it is or was due.
        attempted_at: when its last run began, as far as that is known.
        finished_at: when it ended; None before.
        worker: who runs it now, if somebody does.
        result: what it returned, or the exception that ended it.
    """

    id: str
    queue: str
    state: JobState
    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tags: tuple[str, ...]
    meta: dict[str, Any]
    priority: int
    attempt: int
    max_attempts: int | None
    snoozes: int
    crashes: int
    errors: tuple[FailedAttempt, ...]
    inserted_at: datetime
    scheduled_at: datetime
    attempted_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    result: Any


@dataclass
class JobDef:
    """A job as it was enqueued.

    Attributes:
        function: the name it was enqueued under.
        args, kwargs: what it was given.
        job_try: which start this is; None while it has not been started and `_job_try` was not given.
        enqueue_time: when it was enqueued (aware).
        score: when it is or was due, in ms since 1970; None when that is not known any more.
        job_id: its id.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    job_try: int | None
    enqueue_time: datetime
    score: int | None
    job_id: str | None

    def __post_init__(self) -> None:
        if isinstance(self.score, float):
            self.score = int(self.score)


@dataclass
class JobResult(JobDef):
    """A job that ended.

    Attributes:
        success: whether the function returned.
        result: what it returned, or the exception that ended it.
        start_time, finish_time: of its last run (aware).
        queue_name: where it ran.
    """

    success: bool
    result: Any
    start_time: datetime
    finish_time: datetime
    queue_name: str
