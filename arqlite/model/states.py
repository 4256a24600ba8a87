"""The one state machine of a job, and its two views: arq's status and the ledger's."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import Final


class JobState(StrEnum):
    """Where a job is in its life. This is the truth; the other two enums are lookups from it."""

    SUSPENDED = "suspended"
    SCHEDULED = "scheduled"
    AVAILABLE = "available"
    EXECUTING = "executing"
    RETRYABLE = "retryable"
    COMPLETED = "completed"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job will never run again by itself."""
        return self in FINAL_STATES


COMPLETED: Final = JobState.COMPLETED
"""For those who ask at each job: before Python 3.12, to look a member of an enum up calls a function."""

FINAL_STATES = frozenset({JobState.COMPLETED, JobState.DISCARDED, JobState.CANCELLED})

INCOMPLETE_STATES = frozenset(JobState) - FINAL_STATES
MAY_HAVE_COME_DUE = frozenset({JobState.SCHEDULED, JobState.RETRYABLE})
"""Those in which a job waits for a time: when that has come it is available, whatever was noted of it."""

STATE_GROUPS: dict[str, frozenset[JobState]] = {
    "all": frozenset(JobState),
    "incomplete": INCOMPLETE_STATES,
    "scheduled": frozenset({JobState.SCHEDULED}),
    "successful": INCOMPLETE_STATES | {JobState.COMPLETED},
}
"""States by the names that may stand for several of them (Oban's)."""

# A job that ended moves only when somebody retries it by hand. In its workflow, it may have to wait then.
_AFTER_THE_END = frozenset({JobState.AVAILABLE, JobState.SUSPENDED})

MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.SUSPENDED: frozenset({JobState.AVAILABLE, JobState.SCHEDULED, JobState.CANCELLED}),
    JobState.SCHEDULED: frozenset({JobState.AVAILABLE, JobState.CANCELLED}),
    JobState.RETRYABLE: frozenset({JobState.AVAILABLE, JobState.CANCELLED}),
    JobState.AVAILABLE: frozenset({JobState.EXECUTING, JobState.CANCELLED}),
    JobState.EXECUTING: frozenset(
        {
            JobState.COMPLETED,
            JobState.DISCARDED,
            JobState.CANCELLED,
            JobState.RETRYABLE,
            JobState.SCHEDULED,
            JobState.AVAILABLE,
        }
    ),
    JobState.COMPLETED: _AFTER_THE_END,
    JobState.DISCARDED: _AFTER_THE_END,
    JobState.CANCELLED: _AFTER_THE_END,
}
"""The moves that a job may make; every other pair is refused."""


STATE_LETTERS: dict[JobState, str] = {
    JobState.SUSPENDED: "u",
    JobState.SCHEDULED: "s",
    JobState.AVAILABLE: "a",
    JobState.EXECUTING: "e",
    JobState.RETRYABLE: "r",
    JobState.COMPLETED: "S",
    JobState.DISCARDED: "F",
    JobState.CANCELLED: "C",
}
"""What scripts call the states; an end is called so in its record, too."""

STATES_BY_LETTER = {letter: state for state, letter in STATE_LETTERS.items()}


def letters_of(states: Iterable[JobState]) -> str:
    """Name states as scripts do."""
    return "".join(sorted(STATE_LETTERS[state] for state in states))


class JobStatus(str, Enum):  # noqa: UP042 (arq's: its `str()` is not its value)
    """arq's view of a job."""

    deferred = "deferred"
    queued = "queued"
    in_progress = "in_progress"
    complete = "complete"
    not_found = "not_found"


class LedgerStatus(StrEnum):
    """The ledger's view of a job."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Cause(StrEnum):
    """Why a job, or one of its attempts, ended otherwise than well, or did not end at all."""

    ERROR = "ERROR"
    """It raised, or its attempts were used up."""
    TIMEOUT = "TIMEOUT"
    """Its time was up."""
    CANCELLED = "CANCELLED"
    """Somebody cancelled it, or it said so itself."""
    SHUTDOWN = "SHUTDOWN"
    """Its worker shut down and gave it back."""
    LOST = "LOST"
    """Its worker died or lost its lease."""
    EXPIRED = "EXPIRED"
    """It was not started in time, or nobody knew its function."""
    REFUSED = "REFUSED"
    """It could not be run: its arguments do not fit, or it cannot be read."""
    DUPLICATE = "DUPLICATE"
    """When it reached the queue an equal job was there already."""
    RETRY = "RETRY"
    """It asked to run again."""
    SNOOZE = "SNOOZE"
    """It asked to run later."""


ARQ_STATUS: dict[JobState, JobStatus] = {
    JobState.SUSPENDED: JobStatus.deferred,
    JobState.SCHEDULED: JobStatus.deferred,
    JobState.RETRYABLE: JobStatus.deferred,
    JobState.AVAILABLE: JobStatus.queued,
    JobState.EXECUTING: JobStatus.in_progress,
    JobState.COMPLETED: JobStatus.complete,
    JobState.DISCARDED: JobStatus.complete,
    JobState.CANCELLED: JobStatus.complete,
}

LEDGER_STATUS: dict[JobState, LedgerStatus] = {
    JobState.SUSPENDED: LedgerStatus.QUEUED,
    JobState.SCHEDULED: LedgerStatus.QUEUED,
    JobState.RETRYABLE: LedgerStatus.QUEUED,
    JobState.AVAILABLE: LedgerStatus.QUEUED,
    JobState.EXECUTING: LedgerStatus.RUNNING,
    JobState.COMPLETED: LedgerStatus.SUCCESS,
    JobState.DISCARDED: LedgerStatus.FAILED,
    JobState.CANCELLED: LedgerStatus.CANCELLED,
}
