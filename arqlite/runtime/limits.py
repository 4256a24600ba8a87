"""What a worker's jobs may do, and how long their ends are kept, function by function."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.functions import Function
from ..model.states import COMPLETED, JobState
from ..model.tasks import Task

# How long the end of a task's job that did not complete is kept, for people to look at.
_KEEP_UNSUCCESSFUL_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits of one function, settled once.

    Attributes:
        timeout_s: seconds one run may take, None for ever.
        max_attempts: how often a job may be tried that says nothing of it.
        keep_ms: ms a result is kept, 0 not at all, -1 for ever.
        keep_discarded_ms: the same for the end of a job that failed.
        keep_cancelled_ms: the same for the end of a job that was cancelled.
        task: the function, if it is one by Oban's rules.
        retry_jobs: whether its jobs may run again after a failure or a shutdown.
    """

    timeout_s: float | None
    max_attempts: int
    keep_ms: int
    keep_discarded_ms: int
    keep_cancelled_ms: int
    task: Task | None
    retry_jobs: bool = True

    def keep_ms_of(self, state: JobState) -> int:
        """Ms that an end in this state is kept."""
        if state is COMPLETED:
            return self.keep_ms
        return self.keep_cancelled_ms if state is JobState.CANCELLED else self.keep_discarded_ms


NO_TERMS = Terms(None, 1, 0, 0, 0, None)
"""No time limit, one try, and nothing is kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a worker's jobs where a function has none of its own.

    Attributes:
        timeout_s: seconds one run may take, None for ever.
        keep_ms: ms a result is kept, 0 not at all, -1 for ever.
        else_keep_ms: the same for functions that say only that theirs is not kept for ever.
        max_tries: runs that count, the first included.
        max_rescues: how many workers a job may take down.
        unknown_ttl_ms: how long a job of an unknown function is kept for others.
        strict_arguments: whether arguments that do not fit their annotations fail the job.
        keep_discarded_ms: ms the end of a job that failed is kept; None is as long as its result, of a task
            at least 7 days.
        keep_cancelled_ms: the same for a job that was cancelled.
        retry_jobs: whether jobs may run again after a failure or a shutdown.
    """

    timeout_s: float | None
    keep_ms: int
    max_tries: int
    max_rescues: int
    unknown_ttl_ms: int
    strict_arguments: bool = False
    else_keep_ms: int = 0
    keep_discarded_ms: int | None = None
    keep_cancelled_ms: int | None = None
    retry_jobs: bool = True

    @property
    def suspect_after(self) -> int:
        """How many workers a job must have taken down to be on its last chance."""
        return max(self.max_rescues - 1, 1)

    def terms_of(self, function: Function) -> Terms:
        """Settle what holds for jobs of this function."""
        keep_ms = self.keep_ms_of(function)
        unsaid_ms = keep_ms
        task = function if isinstance(function, Task) else None
        if task is not None and keep_ms >= 0:
            unsaid_ms = max(keep_ms, _KEEP_UNSUCCESSFUL_MS)
        return Terms(
            self.timeout_of(function),
            self.max_attempts_of(function),
            keep_ms,
            unsaid_ms if self.keep_discarded_ms is None else self.keep_discarded_ms,
            unsaid_ms if self.keep_cancelled_ms is None else self.keep_cancelled_ms,
            task,
            self.retry_jobs,
        )

    def keep_ms_of(self, function: Function) -> int:
        """Ms that results of this function are kept."""
        if function.keep_result_forever or (function.keep_result_forever is None and self.keep_ms < 0):
            return -1
        if function.keep_result_s is not None:
            return int(function.keep_result_s * 1000)
        return self.keep_ms if self.keep_ms >= 0 else self.else_keep_ms

    def is_strict_for(self, function: Function) -> bool:
        """Whether arguments must fit this function's annotations."""
        return self.strict_arguments if function.strict_arguments is None else function.strict_arguments

    def max_attempts_of(self, function: Function) -> int:
        """How often a job of this function may be tried."""
        if isinstance(function, Task):
            return function.max_attempts
        return self.max_tries if function.max_tries is None else function.max_tries

    def timeout_of(self, function: Function) -> float | None:
        """Seconds that one run of this function may take; the worker's limit is not for tasks."""
        if function.timeout_s is None:
            return None if isinstance(function, Task) else self.timeout_s
        return function.timeout_s
