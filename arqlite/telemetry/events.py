"""Every event with its fields. An event always has the same fields, whatever happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

StoppedState = Literal["completed", "discarded", "cancelled", "retryable", "snoozed", "available"]


@dataclass(frozen=True, slots=True)
class JobEnqueued:
    """A job was accepted by Redis."""

    queue: str
    job_id: str
    function: str


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A worker begins a run of a job.

    Attributes:
        attempt: which start it is, from 1.
        at_ms: when, by the worker's clock, in ms since 1970.
        enqueue_ms: when the job was enqueued; tells two jobs apart that had the same id, one after the other.
    """

    queue: str
    job_id: str
    function: str
    attempt: int
    worker: str
    at_ms: int
    enqueue_ms: int


@dataclass(frozen=True, slots=True)
class JobStopped:
    """A run of a job ended, or a job ended without a run (expired, cancelled while queued, poison).

    Attributes:
        state: `completed`, `discarded` (failed for good), `cancelled`, `retryable` (will be tried again),
            `snoozed` (asked to run later) or `available` (given back to the queue).
        duration_ms: how long the run took; 0 when there was none.
        result: what the function returned.
        error: the exception that ended the run, if one did.
        at_ms, enqueue_ms: as in `JobStarted`; `enqueue_ms` is 0 where the job could not be read.
    """

    queue: str
    job_id: str
    function: str
    attempt: int
    worker: str
    state: StoppedState
    duration_ms: int
    result: Any
    error: BaseException | None
    at_ms: int
    enqueue_ms: int


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """The event loop of a worker stands still; told in a thread of its own, once, while that lasts.

    Attributes:
        job_id, function: the job that blocks it, empty when it is none of the worker's jobs.
        seconds: for how long so far.
        stack: where it stands, as a traceback shows it.
        at_ms: as in `JobStarted`.
    """

    queue: str
    worker: str
    job_id: str
    function: str
    seconds: float
    stack: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker opened its first session and begins to claim jobs."""

    queue: str
    worker: str
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """A worker gave its jobs back and left."""

    queue: str
    worker: str
    complete: int
    failed: int
    retried: int
