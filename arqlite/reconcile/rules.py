"""What is to be done where a row and Redis differ. Pure functions: the one place where that is decided."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..engine import Place, Watch
from ..ledger.store.comparing import KnownRow, ms_of
from ..ledger.tables import QueueRow
from ..model import memory
from ..model.states import JobState, LedgerStatus


class Repair(StrEnum):
    """How the two come to agree on a job."""

    NOTHING = "nothing"
    """They do, or what differs is under way."""
    PUSH = "push"
    """It waits by its row, and is not in Redis: put it there."""
    PUSH_LOST = "push_lost"
    """It ran by its row, or its worker lost it, and is not in Redis: put it there again as a rescue would."""
    FAIL = "fail"
    """It is not in Redis, and its row does not keep what it is made of: it failed."""
    REQUEUE = "requeue"
    """It waits in Redis, whatever its row says: let that say so."""
    SETTLE = "settle"
    """It is over in Redis: let its row say so."""
    RETIRE = "retire"
    """It waits in Redis although it is over by its row: take it out."""
    OPEN = "open"
    """It is in Redis and has no row: write one."""
    END_PART = "end_part"
    """It is a part of a job that is over: so is it."""


class Job(NamedTuple):
    """Which job Redis means, for ids may be used again.

    Attributes:
        enqueued_ms: when it was enqueued, in ms since 1970; None where that cannot be read.
        finished_ms: when it ended; None if it has not.
    """

    enqueued_ms: int | None = None
    finished_ms: int | None = None


NO_JOB = Job()


def decide(row: KnownRow | None, place: Place, job: Job = NO_JOB) -> Repair:
    """Tell what is to be done of a job.

    Args:
        row: what the ledger says of it; None if it says nothing.
        place: where it is in Redis.
        job: which one is meant there.
    """
    if row is None:
        return Repair.OPEN if place.where in ("waiting", "running") else Repair.NOTHING
    if not row.is_open:
        return _decide_ended(row, place, job)
    where = "absent" if place.where == "over" and _is_earlier(job, row) else place.where
    match where:
        case "absent":
            return _decide_absent(row)
        case "over":
            return Repair.SETTLE
        case "waiting":
            return Repair.REQUEUE if row.status is LedgerStatus.RUNNING else Repair.NOTHING
        case _:
            return Repair.NOTHING


def decide_part(job: KnownRow | None, place: Place) -> Repair:
    """Tell what is to be done of an open row of a part of a job.

    Args:
        job: what the ledger says of the job; None if it says nothing.
        place: where the job is in Redis.
    """
    is_over = place.where in ("absent", "over") and (job is None or not job.is_open)
    return Repair.END_PART if is_over else Repair.NOTHING


def _decide_absent(row: KnownRow) -> Repair:
    # A step that waits for others is nothing without its workflow, which only Redis has.
    if not row.is_restorable or row.state is JobState.SUSPENDED:
        return Repair.FAIL
    return Repair.PUSH_LOST if row.has_lost_run else Repair.PUSH


def _decide_ended(row: KnownRow, place: Place, job: Job) -> Repair:
    # What a runner has closed counts when the end of its job was told, too: it may be tried again.
    if place.where != "waiting" or not row.state.is_final:
        return Repair.NOTHING
    enqueued_ms = ms_of(row.enqueued_at)
    if enqueued_ms is None or job.enqueued_ms != enqueued_ms:
        return Repair.NOTHING  # perhaps a later job of this id, whose row comes with its start
    revived_ms = memory.decode(place.memory).revived_ms
    if revived_ms and revived_ms >= (ms_of(row.finished_at) or 0):
        return Repair.REQUEUE
    return Repair.RETIRE


def _is_earlier(job: Job, row: KnownRow) -> bool:
    """Whether the end in Redis is that of an earlier job of the same id."""
    enqueued_ms = ms_of(row.enqueued_at)
    if enqueued_ms is None:
        return False
    if job.enqueued_ms is not None:
        return job.enqueued_ms < enqueued_ms
    return job.finished_ms is not None and job.finished_ms < enqueued_ms


class Verdict(StrEnum):
    """What a look at the marker tells of Redis."""

    NEW = "new"
    """Neither ledger nor Redis have known this queue."""
    SAME = "same"
    """It is the one that was compared with the rows."""
    EMPTY = "empty"
    """It has no marker: it was emptied, or is another one."""
    STRANGE = "strange"
    """It has a marker that the ledger does not know."""
    SET_BACK = "set_back"
    """It is an older state of itself."""
    MOVED = "moved"
    """It is another server, or one that was started anew, with the same or later data."""


def judge(known: QueueRow | None, seen: Watch, server: str | None) -> Verdict:
    """Tell whether Redis is the one that the ledger knows.

    Args:
        known: what the ledger knows of it; None if nothing.
        seen: what Redis says.
        server: the id of the server; None where it does not tell.
    """
    if known is None:
        return Verdict.STRANGE if seen.marker else Verdict.NEW
    if not seen.marker:
        return Verdict.EMPTY
    if seen.marker != known.marker:
        return Verdict.STRANGE
    if seen.beat < known.beat:
        return Verdict.SET_BACK
    return Verdict.SAME if server == known.server else Verdict.MOVED
