"""The events of jobs. Names and fields are a promise: new fields come at the end, with a default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from .wording import stack_of

StoppedState = Literal["completed", "discarded", "cancelled", "retryable", "snoozed", "available"]
ManagedAs = Literal["cancel", "retry", "delete", "update"]


@dataclass(frozen=True, slots=True)
class JobEnqueued:
    """A job was accepted by Redis."""

    name: ClassVar[str] = "job.enqueued"

    queue: str
    job_id: str
    function: str


# These two are built for each run, and have many fields: frozen, which sets each of them by a call, they
# would cost as much as all that a ledger does with them. They are not to be changed all the same.
@dataclass(slots=True)
class JobStarted:
    """A worker begins a run of a job.

    Attributes:
        attempt: which start it is, from 1; those whose worker died are counted.
        at_ms: when, by the worker's clock, in ms since 1970.
        enqueue_ms: when the job was enqueued; tells two jobs apart that had the same id, one after the other.
        max_attempts: how many attempts the job may have; None where that is not known.
        tags, meta, priority: as the job was enqueued with.
        args, kwargs: what the function is called with; the very objects, no copies.
        scheduled_ms: since when it could have been started, in ms since 1970.
        counted_attempt: which attempt of `max_attempts` it is, from 1; 0 where that is not known.
        crashes: how many of the starts before ended with their worker.
        record: the job as its queue stores it.
        parent: the id of the job that enqueued it; empty if none did.
        triggered_by: who asked for it; empty where nobody said.
    """

    name: ClassVar[str] = "job.start"

    queue: str
    job_id: str
    function: str
    attempt: int
    worker: str
    at_ms: int
    enqueue_ms: int
    max_attempts: int | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    scheduled_ms: int = 0
    counted_attempt: int = 0
    crashes: int = 0
    record: bytes = b""
    parent: str = ""
    triggered_by: str = ""


@dataclass(slots=True)
class JobStopped:
    """A run of a job ended, or a job ended without a run (expired, cancelled while queued, poison).

    Attributes:
        state: `completed`, `discarded` (failed for good), `cancelled`, `retryable` (failed or asked to run
            again, and will), `snoozed` (runs later, at the cost of no attempt) or `available` (given back to
            the queue).
        duration_ms: how long the run took; 0 when there was none.
        result: what the function returned.
        error: the exception that ended the run, if one did.
        at_ms: when it ended, by the worker's clock, in ms since 1970.
        enqueue_ms: as in `JobStarted`; 0 where the job could not be read.
        max_attempts, tags, meta, priority, args, kwargs, scheduled_ms, counted_attempt: as in `JobStarted`.
        queue_time_ms: how long it had waited from `scheduled_ms` to its start, never negative.
        crashes, record, parent, triggered_by: as in `JobStarted`.
        cause: why it did not end well, in the words of `model.states.Cause`; empty where it did.
        memory: what the queue remembers of the job's runs from now on; empty is nothing.
        started_ms: when the run began, in ms since 1970; 0 when there was none.
    """

    name: ClassVar[str] = "job.stop"

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
    max_attempts: int | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    scheduled_ms: int = 0
    queue_time_ms: int = 0
    counted_attempt: int = 0
    crashes: int = 0
    record: bytes = b""
    parent: str = ""
    triggered_by: str = ""
    cause: str = ""
    memory: str = ""
    started_ms: int = 0


@dataclass(frozen=True, slots=True)
class JobException:
    """A run failed, or a job failed without a run; told just before the `JobStopped` of the same run.

    It is not told of what a job asks for (`Retry`, `Snooze`, `Cancel`, `Discard`) nor of a cancellation.

    Attributes:
        state: `retryable` (it will run again) or `discarded` (it will not).
        error: why.
        is_last: whether the job is over with it.
        duration_ms, at_ms, enqueue_ms: as in `JobStopped`, and so are the others.
    """

    name: ClassVar[str] = "job.exception"

    queue: str
    job_id: str
    function: str
    attempt: int
    worker: str
    state: StoppedState
    duration_ms: int
    error: BaseException
    is_last: bool
    at_ms: int
    enqueue_ms: int
    max_attempts: int | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    scheduled_ms: int = 0
    queue_time_ms: int = 0
    counted_attempt: int = 0

    @property
    def stack(self) -> str:
        """The traceback as text, written anew each time somebody reads this."""
        return stack_of(self.error)


@dataclass(frozen=True, slots=True)
class JobsManaged:
    """Somebody changed jobs by hand: cancelled, retried, deleted or updated them. Many come in batches.

    Attributes:
        action: what was done.
        job_ids: the jobs it was done to.
        by: who asked for it, where that is known.
    """

    name: ClassVar[str] = "job.manage"

    queue: str
    action: ManagedAs
    job_ids: tuple[str, ...]
    by: str = ""
