"""What became of a run, and what becomes of the job: the only place where a job's fate is decided."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

from ..errors import JobExecutionFailed, Postpone, Retry, RetryJob
from .context import CancelReason
from .states import JobState


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
    """The run was cancelled from outside, for this reason."""

    reason: CancelReason


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
    """

    delay_ms: int | None
    counts: bool


@dataclass(slots=True)
class Gone:
    """The job is somebody else's now; nothing may be written about it."""


Verdict: TypeAlias = End | Again | Gone


def decide(outcome: Outcome, *, retry_jobs: bool) -> Verdict:
    """Turn the outcome of a run into the fate of its job, by arq's rules.

    A plain exception and a timeout end the job; `Retry` and `RetryJob` run it again and count as a try;
    a shutdown gives it back and costs no try. With `retry_jobs` off, asking for another run is a failure.
    `Postpone`, which arq has not, costs no try and is no failure either: the job has not begun.
    """
    if isinstance(outcome, Returned):  # ahead of the match, which costs twice as much as the decision
        return End(JobState.COMPLETED, outcome.value)
    match outcome:
        case Raised(error):
            return _after_raising(error, retry_jobs)
        case Interrupted(reason):
            return _after_interruption(reason, retry_jobs)
        case _:  # pragma: no cover
            assert_never(outcome)


def _after_raising(error: BaseException, retry_jobs: bool) -> Verdict:
    if isinstance(error, Postpone):
        return Again(error.defer_score, counts=False)
    # A CancelledError nobody outside asked for comes from something the job itself awaited.
    if retry_jobs and isinstance(error, Retry | RetryJob | asyncio.CancelledError):
        return Again(getattr(error, "defer_score", None), counts=True)
    return End(JobState.DISCARDED, error)


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


def refuse(
    *, tries: int, crashes: int, max_tries: int, max_rescues: int, expires_ms: int | None, now_ms: int
) -> JobExecutionFailed | None:
    """Say why a claimed job must not be started any more, or None.

    Args:
        tries: runs that were counted.
        crashes: runs that ended with their worker.
        max_tries: how many counted runs a job may have.
        max_rescues: how many workers a job may take down.
        expires_ms: when it must have been started, in ms since 1970; None is never.
        now_ms: the server's clock.
    """
    if expires_ms is not None and now_ms > expires_ms:
        return JobExecutionFailed("job expired")
    if crashes >= max_rescues:
        return JobExecutionFailed(f"worker died {crashes} times")
    if tries >= max_tries:
        return JobExecutionFailed(f"max {max_tries} retries exceeded")
    return None
