"""Whose row is it? What a run that begins may do with the row it finds. Pure decisions, no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from ..model.states import LedgerStatus
from .rows import JobRowMixin


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one job: together, `attempt` and `worker` are the run's claim on the row."""

    job_id: str
    function: str
    queue: str | None
    attempt: int
    crashes: int
    worker: str
    enqueued_at: datetime | None = None


class Adoption(Enum):
    """What to do about the row."""

    OPEN = auto()
    """There is none: open one."""
    ADOPT = auto()
    """It is ours now."""
    REOPEN = auto()
    """It is of an earlier job with the same id: it begins anew, for this one."""
    KEEP_OUTPUT = auto()
    """The job succeeded, and its worker died before it could tell the queue: do not run it again."""
    KEEP_CANCELLED = auto()
    """Somebody cancelled it before it began: do not run it."""
    OVERTAKEN = auto()
    """A later run owns it: this worker lost its lease and does not know yet."""


def decide(row: JobRowMixin | None, run: Run) -> Adoption:
    """Tell what a run that begins may do with the row it finds under its job's id."""
    if row is None:
        return Adoption.OPEN
    if _is_of_an_earlier_job(row, run):
        return Adoption.REOPEN
    if row.status is LedgerStatus.SUCCESS:
        return Adoption.KEEP_OUTPUT
    if row.status is LedgerStatus.CANCELLED:
        return Adoption.KEEP_CANCELLED
    if row.attempt > run.attempt:
        return Adoption.OVERTAKEN
    return Adoption.ADOPT


def _is_of_an_earlier_job(row: JobRowMixin, run: Run) -> bool:
    """Ids may be used again, by a nightly job say: such a job was enqueued after the row's.

    A row that does not say when its job was enqueued has begun or ended before the later job was; the
    clocks of different machines are compared for such a row only.
    """
    known = row.enqueued_at or row.finished_at or row.started_at
    return run.enqueued_at is not None and known is not None and run.enqueued_at > known
