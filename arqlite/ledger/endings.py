"""What becomes of a row when its run ends otherwise than well, and why. Pure decisions, no SQL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from ..errors import Cancel, Discard, Postpone, Retry, RetryJob, Snooze
from ..model.causes import cause_of
from ..model.context import RunningJob
from ..model.outcomes import Raised
from ..model.states import LEDGER_STATUS, Cause, JobState, LedgerStatus
from .payloads import describe_error


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended that did not succeed.

    Attributes:
        state: where the job is then.
        cause: why.
        error: what went wrong, in words; None where nothing did.
        failure: what `on_failure` is told; None if it hears nothing.
    """

    state: JobState
    cause: Cause
    error: dict[str, str] | None = None
    failure: Exception | None = None

    @property
    def status(self) -> LedgerStatus:
        """The same in the ledger's words."""
        return LEDGER_STATUS[self.state]

    @property
    def may_be_borne(self) -> bool:
        """Whether it is final by an error, which the function that called for the run may bear, and go on.

        A job that somebody cancelled is cancelled.
        """
        return self.state.is_final and self.error is not None

    @property
    def attempt_state(self) -> str:
        """The same of the attempt, in the words of `JobStopped.state`."""
        return "snoozed" if self.state is JobState.SCHEDULED else self.state.value


def ending_of(error: BaseException, job: RunningJob | None) -> Ending:
    """Tell how a run ends by this error.

    Args:
        error: what it raised, or what was thrown into it.
        job: the queue's job that it is a run of; None outside a worker, where nothing runs again.
    """
    reason = None if job is None else job.cancel_reason
    if reason == "lost_lease":  # whatever it says of itself: it runs again elsewhere
        return Ending(JobState.AVAILABLE, Cause.LOST)
    cause = cause_of(Raised(error), reason)
    if isinstance(error, asyncio.CancelledError):
        return _of_cancellation(error, job, cause)
    if isinstance(error, Cancel):
        return Ending(JobState.CANCELLED, cause, describe_error(error))
    if not _runs_again(error, job):
        return Ending(JobState.DISCARDED, cause, describe_error(error), _heard(error))
    if isinstance(error, Snooze | Postpone):
        return Ending(JobState.SCHEDULED, cause)
    if isinstance(error, Retry | RetryJob):
        return Ending(JobState.RETRYABLE, cause)
    return Ending(JobState.RETRYABLE, cause, describe_error(error), _heard(error))


def asked_by(result: Any) -> Snooze | Cancel | Discard | None:
    """What a job asked for by returning it, which is as good as raising it; None if it returned a result."""
    if isinstance(result, Snooze | Cancel | Discard):
        return result
    if isinstance(result, type) and issubclass(result, Cancel | Discard):
        return result()
    return None


def _of_cancellation(error: asyncio.CancelledError, job: RunningJob | None, cause: Cause) -> Ending:
    """Time is up, back to the queue, somebody said so, or, inside a worker, nobody did."""
    if job is None:
        return Ending(JobState.CANCELLED, Cause.CANCELLED)
    if cause is Cause.CANCELLED:
        return Ending(JobState.CANCELLED, cause)
    if cause is Cause.TIMEOUT:
        timeout = TimeoutError("the job took longer than its timeout")
        state = JobState.RETRYABLE if _runs_again(timeout, job) else JobState.DISCARDED
        return Ending(state, cause, describe_error(timeout), timeout)
    if not _runs_again(error, job):
        return Ending(JobState.DISCARDED, cause, describe_error(error))
    if cause is Cause.SHUTDOWN:
        return Ending(JobState.AVAILABLE, cause)
    return Ending(JobState.RETRYABLE, cause, describe_error(error))  # something that it awaited was cancelled


def _runs_again(error: BaseException, job: RunningJob | None) -> bool:
    """Where nobody knows, a failure is final until the queue says otherwise, and a wish is granted."""
    if job is None:
        return False
    known = job.runs_again(error)
    return isinstance(error, Retry | RetryJob | Snooze | asyncio.CancelledError) if known is None else known


def _heard(error: BaseException) -> Exception | None:
    return error if isinstance(error, Exception) else None
