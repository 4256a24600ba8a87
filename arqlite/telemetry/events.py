"""Every event with its name and fields. An event always has the same fields, whatever happened.

Names and fields are a promise: new fields come at the end, with a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .jobevents import (
    JobEnqueued,
    JobException,
    JobsManaged,
    JobStarted,
    JobStopped,
    ManagedAs,
    StoppedState,
)

__all__ = (
    "EVENTS",
    "CronFired",
    "JobEnqueued",
    "JobException",
    "JobStarted",
    "JobStopped",
    "JobsManaged",
    "JobsPruned",
    "JobsRescued",
    "LeaderChanged",
    "LedgerAway",
    "LedgerBack",
    "LedgerReconciled",
    "LedgerWritten",
    "LoopBlocked",
    "ManagedAs",
    "QueuePaused",
    "QueueResumed",
    "QueueScaled",
    "QueueShutdown",
    "QueueStopped",
    "RedisFailed",
    "ServiceFailed",
    "ServiceStarted",
    "ServiceStopped",
    "StoppedState",
    "WorkerStarted",
    "WorkerStopped",
)


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """The event loop of a worker stands still; told in a thread of its own, once, while that lasts.

    Attributes:
        job_id, function: the job that blocks it, empty when it is none of the worker's jobs.
        seconds: for how long so far.
        stack: where it stands, as a traceback shows it.
        at_ms: as in `JobStarted`.
    """

    name: ClassVar[str] = "loop.blocked"

    queue: str
    worker: str
    job_id: str
    function: str
    seconds: float
    stack: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker opened its first session and begins to claim jobs.

    Attributes:
        pid: its process.
        max_jobs: how many jobs it runs at a time; 0 where that is not known.
    """

    name: ClassVar[str] = "worker.start"

    queue: str
    worker: str
    functions: tuple[str, ...]
    pid: int = 0
    max_jobs: int = 0


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """A worker gave its jobs back and left."""

    name: ClassVar[str] = "worker.stop"

    queue: str
    worker: str
    complete: int
    failed: int
    retried: int


@dataclass(frozen=True, slots=True)
class QueuePaused:
    """A queue was told to start no more jobs.

    Attributes:
        node: the one node that it holds for; empty is all of them.
        by: who asked for it, where that is known.
    """

    name: ClassVar[str] = "queue.pause"

    queue: str
    node: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class QueueResumed:
    """A paused queue was told to go on; fields as in `QueuePaused`."""

    name: ClassVar[str] = "queue.resume"

    queue: str
    node: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class QueueScaled:
    """The limits of a queue were changed.

    Attributes:
        limits: what was set, by the name of the option: `limit`, `global_limit`, `rate_limit`; None gives a
            limit back to the settings of the workers.
        node, by: as in `QueuePaused`.
    """

    name: ClassVar[str] = "queue.scale"

    queue: str
    limits: Mapping[str, Any]
    node: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class QueueStopped:
    """The workers of a queue were told to end; fields as in `QueuePaused`."""

    name: ClassVar[str] = "queue.stop"

    queue: str
    node: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class QueueShutdown:
    """A worker that was told to end has waited for its jobs, and starts to take back what is left.

    Attributes:
        elapsed_ms: how long it waited; at most the patience that it had.
        orphaned: the jobs that were still running then. They are cancelled, and run again elsewhere.
    """

    name: ClassVar[str] = "queue.shutdown"

    queue: str
    worker: str
    elapsed_ms: int
    orphaned: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobsRescued:
    """The jobs of dead workers were put back.

    Attributes:
        jobs: how many, by dead worker.
    """

    name: ClassVar[str] = "queue.rescue"

    queue: str
    jobs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LedgerReconciled:
    """The ledger and Redis said different things of jobs, and were made to agree; told for each batch.

    Attributes:
        pushed: how many jobs were put into Redis again.
        settled: how many rows tell now how their jobs ended, those included whose jobs could not be put back.
        retired: how many jobs were taken out of Redis, since they had ended.
        opened: how many rows were written for jobs that had none.
        requeued: how many rows say now that their jobs wait.
    """

    name: ClassVar[str] = "ledger.reconcile"

    queue: str
    pushed: int
    settled: int
    retired: int
    opened: int
    requeued: int = 0


@dataclass(frozen=True, slots=True)
class JobsPruned:
    """Finished jobs whose time was over were forgotten; told when there were any."""

    name: ClassVar[str] = "queue.prune"

    queue: str
    count: int


@dataclass(frozen=True, slots=True)
class CronFired:
    """A cron job was enqueued, by this worker.

    Attributes:
        cron: the name of the cron job.
        job_id: the job that was enqueued.
        tick_ms: the moment it was planned for, in ms since 1970.
    """

    name: ClassVar[str] = "cron.fire"

    queue: str
    cron: str
    job_id: str
    tick_ms: int


@dataclass(frozen=True, slots=True)
class LeaderChanged:
    """A worker became the leader of its queue, or is it no longer; told on a change only."""

    name: ClassVar[str] = "leader.change"

    queue: str
    worker: str
    is_leader: bool


@dataclass(frozen=True, slots=True)
class LedgerWritten:
    """A recorder committed changes to the ledger.

    Attributes:
        queue: whose jobs they were of; empty if it records those of every queue.
        rows: how many runs and accepted jobs.
        took_ms: how long that took, with fractions.
        lag_ms: how long the oldest of them had waited before that.
        waiting: how many wait now.
        at_ms: when, in ms since 1970.
    """

    name: ClassVar[str] = "ledger.write"

    queue: str
    rows: int
    took_ms: float
    lag_ms: float
    waiting: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class LedgerAway:
    """A recorder cannot write to the ledger; told once, until it can again. Fields as in `LedgerWritten`.

    Attributes:
        error: why.
    """

    name: ClassVar[str] = "ledger.away"

    queue: str
    error: BaseException
    at_ms: int


@dataclass(frozen=True, slots=True)
class LedgerBack:
    """A recorder can write to the ledger again; other fields as in `LedgerWritten`.

    Attributes:
        away_ms: for how long it could not.
    """

    name: ClassVar[str] = "ledger.back"

    queue: str
    away_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class RedisFailed:
    """Something that a worker asked of Redis failed, and will be tried again; told for each attempt.

    Attributes:
        queue: the queue whose worker asked; empty where that is not known.
        operation: what for: `worker` (to claim and acknowledge), `heartbeat`, `lifeline`, `cron` and others.
        error: why.
        at_ms: when, in ms since 1970.
    """

    name: ClassVar[str] = "redis.exception"

    queue: str
    operation: str
    error: BaseException
    at_ms: int


@dataclass(frozen=True, slots=True)
class ServiceStarted:
    """A service begins its duty once more.

    Attributes:
        service: what it is called.
        queue: the queue whose worker it works for; empty where that is not known.
        meta: what the service tells of this time.
        at_ms: when, in ms since 1970.
    """

    name: ClassVar[str] = "service.start"

    service: str
    queue: str
    meta: Mapping[str, Any]
    at_ms: int


@dataclass(frozen=True, slots=True)
class ServiceStopped:
    """A service has done its duty once.

    Attributes:
        meta: what it was told with at its start, and what it found out: counts, mostly.
        duration_ms: how long it took, with fractions.
        service, queue, at_ms: as in `ServiceStarted`.
    """

    name: ClassVar[str] = "service.stop"

    service: str
    queue: str
    meta: Mapping[str, Any]
    duration_ms: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class ServiceFailed:
    """A service could not do its duty this time, Redis out of reach included; it will try again.

    Attributes:
        error: why.
        service, queue, meta, duration_ms, at_ms: as in `ServiceStopped`.
    """

    name: ClassVar[str] = "service.exception"

    service: str
    queue: str
    meta: Mapping[str, Any]
    duration_ms: float
    error: BaseException
    at_ms: int


EVENTS: tuple[type, ...] = (
    JobEnqueued,
    JobStarted,
    JobException,
    JobStopped,
    JobsManaged,
    WorkerStarted,
    WorkerStopped,
    LoopBlocked,
    QueuePaused,
    QueueResumed,
    QueueScaled,
    QueueStopped,
    QueueShutdown,
    JobsRescued,
    JobsPruned,
    CronFired,
    LeaderChanged,
    LedgerWritten,
    LedgerAway,
    LedgerBack,
    LedgerReconciled,
    RedisFailed,
    ServiceStarted,
    ServiceStopped,
    ServiceFailed,
)
"""All of them, in the order of the docs."""
