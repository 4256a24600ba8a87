"""The job that the current coroutine runs for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, Protocol

from .records import FailedAttempt

CancelReason = Literal["abort", "timeout", "shutdown", "lost_lease"]


class WorkflowStep(NamedTuple):
    """Which step of which workflow a job is.

    Attributes:
        id: the workflow's id, see `WorkflowRun`.
        step: the step's name; in a compensation that of the step which it takes back.
    """

    id: str
    step: str


class Parts:
    """Which parts of a job its run has begun; all tasks of the job share it."""

    __slots__ = ("_count", "_names")

    def __init__(self) -> None:
        self._count = 0
        self._names: set[str] = set()

    def number(self) -> int:
        """The number of a part that begins now and has no name, from 1."""
        self._count += 1
        return self._count

    def name(self, name: str) -> None:
        """Note that the part of this name begins.

        Raises:
            ValueError: it has begun already, or the name is none.
        """
        if not name or name.isdigit():
            raise ValueError(f"a part of a job needs a name that is no number, got {name!r}")
        if name in self._names:
            raise ValueError(f"the part {name!r} of this job has begun already")
        self._names.add(name)


class RunningJob(Protocol):
    """What code deep inside a job may ask about it.

    Attributes:
        job_id: the job's id.
        function: the name it was enqueued under.
        queue_name: the queue it was claimed from.
        job_try: which start this is, from 1; starts whose worker died are counted.
        attempt: which attempt this is, from 1; neither snoozes nor dead workers are counted.
        max_attempts: how many attempts it may have; of a function without `@task` its `max_tries`.
        is_last_attempt: whether a failure of this attempt is final.
        errors: what earlier attempts failed with, oldest first; the newest 20.
        snoozes: how often it has asked to run later.
        tags: what it was enqueued with.
        meta: the same, as a dict of one's own; with `snoozed`, how often, where it snoozed.
        priority: 0 runs first, 9 last.
        args, kwargs: what it is called with, `ctx` left out.
        workflow: which step of which workflow it is; None of a job that stands alone.
        enqueue_ms: when it was enqueued, in ms since 1970.
        crashes: how many of the starts before ended with their worker.
        revived_ms: when somebody let it run again by hand after its end, in ms since 1970; 0 if nobody did.
        worker: the worker's name, `host:pid:session`.
        carried: what tracers had it carry from where it was enqueued, such as `traceparent`.
        cancel_reason: why `CancelledError` was thrown in, None while it was not: `abort` (somebody
            cancelled the job), `timeout`, `shutdown` or `lost_lease` (both: it will run again).
        parts: which parts of it have begun in this run, where it does its work in parts.
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
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def max_attempts(self) -> int: ...  # noqa: D102
    @property
    def is_last_attempt(self) -> bool: ...  # noqa: D102
    @property
    def errors(self) -> tuple[FailedAttempt, ...]: ...  # noqa: D102
    @property
    def snoozes(self) -> int: ...  # noqa: D102
    @property
    def tags(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def meta(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def priority(self) -> int: ...  # noqa: D102
    @property
    def args(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def kwargs(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def workflow(self) -> WorkflowStep | None: ...  # noqa: D102
    @property
    def enqueue_ms(self) -> int: ...  # noqa: D102
    @property
    def crashes(self) -> int: ...  # noqa: D102
    @property
    def revived_ms(self) -> int: ...  # noqa: D102
    @property
    def worker(self) -> str: ...  # noqa: D102
    @property
    def carried(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def cancel_reason(self) -> CancelReason | None: ...  # noqa: D102
    @property
    def parts(self) -> Parts: ...  # noqa: D102

    def runs_again(self, error: BaseException) -> bool | None:
        """Tell whether the job runs again when its run ends with this error; None where that is not known."""


running_job: ContextVar[RunningJob | None] = ContextVar("arqlite_running_job", default=None)


def current_job() -> RunningJob | None:
    """Tell which job the calling code runs for; None outside a job."""
    return running_job.get()
