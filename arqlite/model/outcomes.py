"""What became of a run, and what becomes of the job: the only place where a job's fate is decided."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, assert_never

from ..errors import Cancel, Discard, JobControl, JobExecutionFailed, Postpone, Retry, RetryJob, Snooze
from .backoff import Chance, FailedJob, delay_of
from .context import CancelReason, RunningJob
from .states import COMPLETED, Cause, JobState
from .tasks import Task


@dataclass(slots=True)
class Returned:
    """The function returned a value."""

    value: Any


@dataclass(slots=True)
class Raised:
    """The function raised; `RetryJob` and `Retry` among the rest."""

    error: BaseException


@dataclass(slots=True)
class Interrupted:
    """The run was cancelled from outside, for this reason; `error` shows where it was then."""

    reason: CancelReason
    error: BaseException | None = None


# Of these a result may decide its job's fate; a tuple, since a union is made anew for each job.
_DECIDES = (JobControl, type)

Outcome: TypeAlias = Returned | Raised | Interrupted


@dataclass(slots=True)
class End:
    """The job is over: in which final state, with which result or exception."""

    state: JobState
    value: Any


@dataclass(slots=True)
class Again:
    """The job runs again.

    Attributes:
        delay_ms: how long to wait first; None puts it back at its old place.
        counts: whether the run is counted as a try.
        error: what the run failed with, if it did.
        is_snooze: whether the job asked to run later, and nothing failed.
    """

    delay_ms: int | None
    counts: bool
    error: BaseException | None = None
    is_snooze: bool = False


@dataclass(slots=True)
class Gone:
    """The job is somebody else's now; nothing may be written about it."""


Verdict: TypeAlias = End | Again | Gone


def decide(
    outcome: Outcome,
    *,
    retry_jobs: bool,
    task: Task[..., Any] | None = None,
    job: RunningJob | None = None,
    chance: Chance = random.random,
) -> Verdict:
    """Turn the outcome of a run into the fate of its job: of a task by Oban's rules, else by arq's.

    By arq's a plain exception and a timeout end the job; `Retry` and `RetryJob` run it again and count as a
    try. By Oban's whatever fails runs again, after its back-off, until its attempts are used up.

    By both, a shutdown gives it back and costs no try; `Snooze`, `Cancel` and `Discard` decide, returned or
    raised; and `Postpone`, which arq has not, costs no try and is no failure either: the job has not begun.
    With `retry_jobs` off nothing runs again that has failed or was shut down.

    Args:
        outcome: what became of the run.
        retry_jobs: whether the worker lets jobs run again.
        task: the function, if it is one by Oban's rules.
        job: the run; needed with `task`.
        chance: gives numbers from 0 to 1.
    """
    if isinstance(outcome, Returned):  # ahead of the match, which costs twice as much as the decision
        if isinstance(outcome.value, _DECIDES):
            return _after_returning(outcome.value, retry_jobs, task, job, chance)
        return End(COMPLETED, outcome.value)
    match outcome:
        case Raised(error):
            return _asked(error) or _after_failure(error, retry_jobs, task, job, chance)
        case Interrupted("timeout") if task is not None:
            error = TimeoutError(f"timed out after {task.timeout_s:g}s")
            error.__cause__ = outcome.error
            return _after_failure(error, retry_jobs, task, job, chance)
        case Interrupted(reason):
            return _after_interruption(reason, retry_jobs)
        case _:  # pragma: no cover
            assert_never(outcome)


def _after_returning(
    value: JobControl | type,
    retry_jobs: bool,
    task: Task[..., Any] | None,
    job: RunningJob | None,
    chance: Chance,
) -> Verdict:
    if isinstance(value, type):
        return _after_returning_class(value)
    fate = _asked(value)
    if fate is None and task is not None:
        return _after_failure(value, retry_jobs, task, job, chance)
    return fate or End(COMPLETED, value)  # arq gives a `Retry` that was returned as the result


def _after_returning_class(value: type) -> Verdict:
    """`return Cancel` is as good as `raise Cancel`; for how long to snooze a class cannot tell."""
    if issubclass(value, Snooze):
        return End(
            JobState.DISCARDED,
            JobExecutionFailed(f"the job returned the class {value.__name__}: say {value.__name__}(seconds)"),
        )
    if issubclass(value, Cancel | Discard):
        state = JobState.CANCELLED if issubclass(value, Cancel) else JobState.DISCARDED
        return End(state, value())
    return End(JobState.COMPLETED, value)


def _asked(control: BaseException) -> Verdict | None:
    """Tell what a job asked for that decides by itself; None when it did not."""
    match control:
        case Postpone():
            return Again(control.defer_score, counts=False)
        case Snooze():
            return Again(control.delay_ms, counts=False, is_snooze=True)
        case Cancel():
            return End(JobState.CANCELLED, control)
        case Discard():
            return End(JobState.DISCARDED, control)
    return None


def _after_failure(
    error: BaseException,
    retry_jobs: bool,
    task: Task[..., Any] | None,
    job: RunningJob | None,
    chance: Chance,
) -> Verdict:
    if task is not None and job is not None:
        return _of_task(error, task, job, chance) if retry_jobs else End(JobState.DISCARDED, error)
    # A CancelledError nobody outside asked for comes from something the job itself awaited.
    if retry_jobs and isinstance(error, Retry | RetryJob | asyncio.CancelledError):
        return Again(getattr(error, "defer_score", None), counts=True)
    return End(JobState.DISCARDED, error)


def _of_task(error: BaseException, task: Task[..., Any], job: RunningJob, chance: Chance) -> Verdict:
    if isinstance(error, Retry | RetryJob):
        if job.is_last_attempt:
            return End(JobState.DISCARDED, _no_attempt_left(error, job))
        return Again(getattr(error, "defer_score", None), counts=True, error=error)
    is_worth_it = not isinstance(error, task.discard_on) and (
        task.retry_on is None or isinstance(error, task.retry_on)
    )
    if job.is_last_attempt or not is_worth_it:
        return End(JobState.DISCARDED, error)
    delay_ms = delay_of(task.backoff, FailedJob.of(job, error), chance=chance)
    return Again(delay_ms, counts=True, error=error)


def _no_attempt_left(error: BaseException, job: RunningJob) -> JobExecutionFailed:
    failure = JobExecutionFailed(
        f"asked to be run again at attempt {job.attempt} of {job.max_attempts}, and there is no other"
    )
    failure.__cause__ = error
    return failure


def _after_interruption(reason: CancelReason, retry_jobs: bool) -> Verdict:
    match reason:
        case "abort":
            return End(JobState.CANCELLED, asyncio.CancelledError())
        case "timeout":
            return End(JobState.DISCARDED, TimeoutError())
        case "shutdown":
            return (
                Again(None, counts=False) if retry_jobs else End(JobState.DISCARDED, asyncio.CancelledError())
            )
        case "lost_lease":
            return Gone()
        case _:  # pragma: no cover
            assert_never(reason)


class Refusal(NamedTuple):
    """Why a job must not be started any more: in the words that its end keeps, and in the ledger's."""

    error: Exception
    cause: Cause


def refuse(
    *,
    tries: int,
    crashes: int,
    max_tries: int,
    max_rescues: int,
    expires_ms: int | None,
    now_ms: int,
    is_task: bool = False,
) -> Refusal | None:
    """Say why a claimed job must not be started any more, or None.

    Args:
        tries: runs that were counted.
        crashes: runs that ended with their worker.
        max_tries: how many counted runs a job may have.
        max_rescues: how many workers a job may take down.
        expires_ms: when it must have been started, in ms since 1970; None is never.
        now_ms: the server's clock.
        is_task: whether it is a task's, whose runs are called attempts; of others it is told as in arq.
    """
    if expires_ms is not None and now_ms > expires_ms:
        return Refusal(JobExecutionFailed("job expired"), Cause.EXPIRED)
    if crashes >= max_rescues:
        return Refusal(JobExecutionFailed(f"worker died {crashes} times"), Cause.LOST)
    if tries >= max_tries:
        text = f"max {max_tries} retries exceeded"
        if is_task:
            text = f"all of its attempts are used up, max_attempts is {max_tries}"
        return Refusal(JobExecutionFailed(text), Cause.ERROR)
    return None
