"""Whose row is it? What a run that begins may do with the row it finds. Pure decisions, no SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from ..model.states import LedgerStatus
from .rows import JobRowMixin


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one job: together, `attempt` and `worker` are the run's claim on the row.

    Attributes:
        job_id, queue: which row; the queue of a run outside a worker is empty.
        function, attempt, crashes, worker, enqueued_at, max_attempts, priority, tags, meta: as in the row.
        revived_at: when somebody let the job run again by hand after it had ended; None if nobody did.
        part_of: the queue's job of which this is another run, `<id>:2` say; None if it is the job's own.
        is_told: whether its worker tells of it, so that the recorder writes its attempt.
    """

    job_id: str
    function: str
    queue: str
    attempt: int
    crashes: int
    worker: str
    enqueued_at: datetime | None = None
    max_attempts: int | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] | None = None
    revived_at: datetime | None = None
    part_of: str | None = None
    is_told: bool = True


class Adoption(Enum):
    """What to do about the row."""

    OPEN = auto()
    """There is none: open one."""
    ADOPT = auto()
    """It is ours now."""
    REOPEN = auto()
    """It is of an earlier job with the same id: it begins anew, for this one."""
    KEEP_OUTPUT = auto()
    """It succeeded already, and the queue's job runs again: do not run it again."""
    KEEP_CANCELLED = auto()
    """Somebody cancelled it before it began: do not run it."""
    OVERTAKEN = auto()
    """A later run owns it: this worker lost its lease and does not know yet."""

    @property
    def is_over(self) -> bool:
        """Whether the job has ended before this run began."""
        return self in (Adoption.KEEP_OUTPUT, Adoption.KEEP_CANCELLED)


def decide(row: JobRowMixin | None, run: Run, *, has_output: bool = False) -> Adoption:
    """Tell what a run that begins may do with the row it finds under its job's id.

    Args:
        row: the row; None if there is none.
        run: the run.
        has_output: whether an earlier run has left its output there, though the job is still open.
    """
    if row is None:
        return Adoption.OPEN
    if _is_of_an_earlier_job(row, run):
        return Adoption.REOPEN
    if not row.is_open and _was_revived(row, run):
        return Adoption.ADOPT
    if row.status is LedgerStatus.SUCCESS:
        return Adoption.KEEP_OUTPUT
    if row.status is LedgerStatus.CANCELLED:
        return Adoption.KEEP_CANCELLED
    if row.attempt > run.attempt:
        return Adoption.OVERTAKEN
    if has_output and not _began_before_revival(row, run):
        return Adoption.KEEP_OUTPUT
    return Adoption.ADOPT


def _was_revived(row: JobRowMixin, run: Run) -> bool:
    """Whether somebody let the job run again by hand, after the end that its row tells of."""
    if run.revived_at is None:
        return False
    return row.finished_at is None or run.revived_at >= row.finished_at


def _began_before_revival(row: JobRowMixin, run: Run) -> bool:
    """Whether the row tells of a run before somebody let the job run again by hand: its end was not heard."""
    if run.revived_at is None:
        return False
    return row.started_at is not None and row.started_at < run.revived_at


def _is_of_an_earlier_job(row: JobRowMixin, run: Run) -> bool:
    """Ids may be used again, by a nightly job say: such a job was enqueued after the row's.

    A row that does not say when its job was enqueued has begun or ended before the later job was; the
    clocks of different machines are compared for such a row only.
    """
    known = row.enqueued_at or row.finished_at or row.started_at
    return run.enqueued_at is not None and known is not None and run.enqueued_at > known
