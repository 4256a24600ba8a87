"""The job that the current coroutine runs for."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal, Protocol

CancelReason = Literal["abort", "timeout", "shutdown", "lost_lease"]


class RunningJob(Protocol):
    """What code deep inside a job may ask about it.

    Attributes:
        job_id: the job's id.
        function: the name it was enqueued under.
        queue_name: the queue it was claimed from.
        job_try: which start this is, from 1; starts whose worker died are counted.
        enqueue_ms: when it was enqueued, in ms since 1970.
        crashes: how many of the starts before ended with their worker.
        worker: the worker's name, `host:pid:session`.
        cancel_reason: why `CancelledError` was thrown in, None while it was not: `abort` (somebody
            cancelled the job), `timeout`, `shutdown` or `lost_lease` (both: it will run again).
    """

    @property
    def job_id(self) -> str: ...  # noqa: D102 (told by its class)
    @property
    def function(self) -> str: ...  # noqa: D102
    @property
    def queue_name(self) -> str: ...  # noqa: D102
    @property
    def job_try(self) -> int: ...  # noqa: D102
    @property
    def enqueue_ms(self) -> int: ...  # noqa: D102
    @property
    def crashes(self) -> int: ...  # noqa: D102
    @property
    def worker(self) -> str: ...  # noqa: D102
    @property
    def cancel_reason(self) -> CancelReason | None: ...  # noqa: D102


running_job: ContextVar[RunningJob | None] = ContextVar("arqlite_running_job", default=None)


def current_job() -> RunningJob | None:
    """Tell which job the calling code runs for; None outside a job."""
    return running_job.get()
