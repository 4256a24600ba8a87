"""Every exception of arqlite, in one tree.

ArqliteError
├── ConfigurationError            settings that cannot work (also a ValueError)
│   ├── MissingExtra              a feature whose optional packages are not installed (also an ImportError)
│   └── UnknownOption             there is no option of that name (also a TypeError)
├── EmbeddedServerError           no embedded Redis or Valkey server could be started
├── LedgerError                   the SQL ledger refused something
│   ├── InvalidIdempotencyKey     a key that no request may have (also a ValueError)
│   ├── IdempotencyConflict       a request came under the key of another one
│   ├── LedgerUnavailable         its database is away, and a job had to be written there first
│   └── LedgerTooSlow             a question to the ledger took longer than it may
├── SessionLost                   a worker's lease ended and its jobs were given to others
├── InvalidArguments              a job's arguments do not fit its function (also a TypeError)
├── JobNotFound                   no such job is known (also a LookupError)
├── JobBusy                       a job runs or changes all the time, so that it cannot be changed now
├── ResultNotFound                (arq) no result is kept for this job, or the job is unknown
├── SerializationError            (arq) a value cannot be written to Redis
│   └── DeserializationError      (arq) bytes from Redis cannot be read
├── JobConflict                   an equal job is there already, see `Unique`
├── JobExecutionFailed            (arq) a job that ended without success, told in words
├── FailedJobs                    (arq) raised by `Worker.run_check`
└── JobControl                    raised by a job to decide its own fate
    ├── Retry                     (arq) run me again, after a delay
    │   └── Postpone              the job could not begin; costs no try
    ├── RetryJob                  (arq) run me again now
    ├── Snooze                    run me later; costs no attempt
    ├── Cancel                    I am not needed any more: cancelled
    └── Discard                   I cannot succeed: discarded, however many attempts are left

`JobInterrupted` stands beside it: it is a BaseException, so that no `except Exception` of a job swallows it.

arq's errors keep arq's base class (`RuntimeError`), so existing `except` clauses go on working.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any


class ArqliteError(Exception):
    """The base of every error that arqlite raises on purpose."""


class ConfigurationError(ArqliteError, ValueError):
    """A setting that cannot work; the message names it, what was expected and what came."""


class MissingExtra(ConfigurationError, ImportError):
    """A feature was used whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__(f'{feature} needs extra packages: pip install "arqlite[{extra}]"')


class UnknownOption(ConfigurationError, TypeError):
    """There is no option of that name; the message says which one may be meant."""


class EmbeddedServerError(ArqliteError):
    """No embedded server could be started; the message lists what was tried and what to do."""


class LedgerError(ArqliteError):
    """The SQL ledger refused an operation."""


class InvalidIdempotencyKey(LedgerError, ValueError):
    """An idempotency key that cannot be used; the message says why."""


class IdempotencyConflict(LedgerError):
    """An idempotency key was used before, for a request that asked for something else.

    Attributes:
        key: the key.
        job_id: the job that was made under it.
    """

    def __init__(self, key: str, job_id: str) -> None:
        self.key = key
        self.job_id = job_id
        super().__init__(f"the idempotency key {key!r} was used for another request, which made job {job_id}")


class LedgerUnavailable(LedgerError):
    """The ledger's database is away, lacks its tables, or is held by another process for too long.

    A job that was being enqueued was not accepted: nothing of it is kept and it never runs. Tables that were
    to be created or upgraded are as they were.

    Attributes:
        is_known: False where the connection broke just while the row was committed, so that nobody can tell;
            a job with an id of your own (`job_id`) may be sent again then, and is enqueued once.
    """

    def __init__(self, message: str, *, is_known: bool = True) -> None:
        self.is_known = is_known
        super().__init__(message)


class LedgerTooSlow(LedgerError):
    """A question to the ledger took longer than it may; it was stopped in the database.

    Attributes:
        timeout: how many seconds it may take.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        super().__init__(f"the ledger did not answer within {timeout:g} s: ask for less, a shorter time say")


class SessionLost(ArqliteError):
    """A worker's lease ended before it was renewed; its jobs were put back and may run elsewhere."""


class InvalidArguments(ArqliteError, TypeError):
    """A job was given arguments that its function cannot take; the message names each and says why.

    Attributes:
        function: the function's name.
    """

    def __init__(self, message: str, *, function: str = "") -> None:
        self.function = function
        super().__init__(message)


class JobNotFound(ArqliteError, LookupError):
    """No job of this id is known, or nothing is kept of it any more.

    Attributes:
        job_id: the id.
    """

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"there is no job {job_id!r}")


class JobBusy(ArqliteError, RuntimeError):
    """A job cannot be changed now: a worker runs it, it waits for results, or it changed each time.

    Attributes:
        job_id: its id.
    """

    def __init__(self, job_id: str, reason: str) -> None:
        self.job_id = job_id
        super().__init__(f"job {job_id!r} cannot be changed now: {reason}")


class ResultNotFound(ArqliteError, RuntimeError):
    """No result is kept for this job: it is unknown, its result expired, or results are not kept."""


class SerializationError(ArqliteError, RuntimeError):
    """A job, its arguments or its result cannot be written to Redis."""


class DeserializationError(SerializationError):
    """Bytes read from Redis are no job or result that this deserializer understands."""


class JobConflict(ArqliteError):
    """A unique job was not enqueued, since an equal one is there and its rule says `on_conflict="raise"`.

    Attributes:
        job_id: the id of the one that is there; the first one where many were enqueued.
        state: the state that it was in.
        jobs: all jobs of the call, as `enqueue_many` would have given them; `conflict` is True for those that
            were not enqueued. Empty where one job was enqueued.
    """

    def __init__(self, message: str, *, job_id: str, state: str, jobs: Sequence[Any] = ()) -> None:
        self.job_id = job_id
        self.state = state
        self.jobs = list(jobs)
        super().__init__(message)


class JobExecutionFailed(ArqliteError, RuntimeError):
    """A job ended without success; compares equal to another one with the same arguments, as in arq."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobExecutionFailed) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class FailedJobs(ArqliteError, RuntimeError):
    """Jobs failed during `Worker.run_check`.

    Attributes:
        count: how many jobs failed.
        job_results: their `JobResult`s.
    """

    def __init__(self, count: int, job_results: Sequence[Any]) -> None:
        self.count = count
        self.job_results = list(job_results)
        super().__init__(count, self.job_results)

    def __str__(self) -> str:
        if self.count == 1 and self.job_results:
            return f"1 job failed {self.job_results[0].result!r}"
        lines = "\n".join(repr(result.result) for result in self.job_results)
        return f"{self.count} jobs failed:\n{lines}"

    def __repr__(self) -> str:
        return f"<{self}>"


class JobControl(ArqliteError, RuntimeError):
    """The base of what a job raises to decide its own fate."""


class Retry(JobControl):
    """Raised by a job to be run again.

    Args:
        defer: how long to wait first, in seconds or as a timedelta; None is at once.
    """

    def __init__(self, defer: float | timedelta | None = None) -> None:
        self.defer_score: int | None = None if defer is None else _milliseconds(defer)
        super().__init__(None if self.defer_score is None else self.defer_score / 1000)

    def __repr__(self) -> str:
        return f"<Retry defer {(self.defer_score or 0) / 1000:0.2f}s>"

    def __str__(self) -> str:
        return repr(self)


class Postpone(Retry):
    """Raised on behalf of a job that could not begin, through no fault of its own.

    It is run again after the delay, costs no try, and is put back even with `retry_jobs` off.
    """


class RetryJob(JobControl):
    """Raised by a job to be run again at once."""


class Snooze(JobControl):
    """Returned or raised by a job that wants to run later. It costs no attempt.

    Args:
        delay: how long to wait, in seconds or as a timedelta, at least 0.
    """

    def __init__(self, delay: float | timedelta) -> None:
        self.delay_ms = _milliseconds(delay, "the delay of Snooze")
        if self.delay_ms < 0:
            raise ConfigurationError(f"the delay of Snooze must be at least 0 seconds, got {delay!r}")
        super().__init__(f"snoozed for {self.delay_ms / 1000:g}s")

    def __reduce__(self) -> tuple[type[Snooze], tuple[float]]:
        return type(self), (self.delay_ms / 1000,)


class Cancel(JobControl):
    """Returned or raised by a job that is not needed any more: it ends as cancelled, and no other one does.

    Args:
        reason: why, for people.
    """

    def __init__(self, reason: Any = None) -> None:
        self.reason = reason
        super().__init__("cancelled" if reason is None else str(reason))


class Discard(JobControl):
    """Returned or raised by a job that cannot succeed: it fails for good, however many attempts are left.

    Args:
        reason: why, for people.
    """

    def __init__(self, reason: Any = None) -> None:
        self.reason = reason
        super().__init__("discarded" if reason is None else str(reason))


class JobInterrupted(BaseException):
    """Raised inside a plain job function, in its thread, when its job is timed out, aborted or given back.

    What `CancelledError` is to a coroutine function: clean up, and let it leave. It comes once, between
    two bytecodes, so code that is deep in C meets it when it returns.
    """


def _milliseconds(delay: float | timedelta, name: str = "defer") -> int:
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < float("inf"):
        raise ConfigurationError(f"{name} must be a number of seconds or a timedelta, got {delay!r}")
    return round(seconds * 1000)
