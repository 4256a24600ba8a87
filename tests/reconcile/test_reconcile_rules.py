"""What is done where a row and Redis differ, as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from reconcile_toys import ENQUEUED_MS, LONG_AGO

from arqlite.engine import Place, Watch
from arqlite.ledger.store.comparing import KnownRow
from arqlite.ledger.tables import QueueRow
from arqlite.model.memory import Memory
from arqlite.model.states import Cause, JobState, LedgerStatus
from arqlite.reconcile.rules import Job, Repair, Verdict, decide, decide_part, judge

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus
STATES = {
    QUEUED: JobState.AVAILABLE,
    RUNNING: JobState.EXECUTING,
    SUCCESS: JobState.COMPLETED,
    FAILED: JobState.DISCARDED,
    CANCELLED: JobState.CANCELLED,
}
ABSENT, WAITING, EXECUTING, OVER = (
    Place("absent"),
    Place("waiting", "a"),
    Place("running", "e"),
    Place("over", "S"),
)
THIS, EARLIER, LATER = Job(ENQUEUED_MS), Job(ENQUEUED_MS - 1), Job(ENQUEUED_MS + 1)
FINISHED_AT = LONG_AGO + timedelta(hours=1)
FINISHED_MS = ENQUEUED_MS + 3_600_000


def row(status: LedgerStatus, **changes: Any) -> KnownRow:
    told = KnownRow(
        "j", status, STATES[status], 0 if status is QUEUED else 1, 0, None, LONG_AGO, LONG_AGO, None, None,
        None if status in (QUEUED, RUNNING) else FINISHED_AT, LONG_AGO, LONG_AGO, None, True,
    )  # fmt: skip
    return told._replace(**changes)


def revived(at_ms: int) -> Place:
    return Place("waiting", "a", -1, Memory(revived_ms=at_ms).encode())


@pytest.mark.parametrize(
    ("known", "place", "job", "repair"),
    [
        (row(QUEUED), ABSENT, Job(), Repair.PUSH),
        (row(QUEUED, attempt=3), ABSENT, Job(), Repair.PUSH),
        (row(RUNNING), ABSENT, Job(), Repair.PUSH_LOST),
        (row(QUEUED, attempt=1, cause=Cause.LOST), ABSENT, Job(), Repair.PUSH_LOST),
        (row(QUEUED, attempt=1, cause=Cause.LOST, memory="0:1:0:0:0:0:0"), ABSENT, Job(), Repair.PUSH),
        (row(QUEUED, attempt=1, cause=Cause.SHUTDOWN), ABSENT, Job(), Repair.PUSH),
        (row(QUEUED, is_restorable=False), ABSENT, Job(), Repair.FAIL),
        (row(RUNNING, is_restorable=False), ABSENT, Job(), Repair.FAIL),
        (row(QUEUED, state=JobState.SUSPENDED), ABSENT, Job(), Repair.FAIL),
        (row(QUEUED), WAITING, THIS, Repair.NOTHING),
        (row(RUNNING), WAITING, THIS, Repair.REQUEUE),
        (row(QUEUED), EXECUTING, THIS, Repair.NOTHING),
        (row(RUNNING), EXECUTING, THIS, Repair.NOTHING),
        (row(QUEUED), OVER, THIS, Repair.SETTLE),
        (row(RUNNING), OVER, THIS, Repair.SETTLE),
        (row(QUEUED), OVER, EARLIER, Repair.PUSH),
        (row(QUEUED), OVER, Job(None, ENQUEUED_MS - 5), Repair.PUSH),
        (row(QUEUED), OVER, Job(None, ENQUEUED_MS + 5), Repair.SETTLE),
        (row(QUEUED), OVER, Job(), Repair.SETTLE),
        (row(QUEUED, enqueued_at=None), OVER, EARLIER, Repair.SETTLE),
        (row(SUCCESS), ABSENT, Job(), Repair.NOTHING),
        (row(SUCCESS), OVER, THIS, Repair.NOTHING),
        (row(SUCCESS), EXECUTING, THIS, Repair.NOTHING),
        (row(SUCCESS), WAITING, THIS, Repair.RETIRE),
        (row(FAILED), WAITING, THIS, Repair.RETIRE),
        (row(CANCELLED), WAITING, THIS, Repair.RETIRE),
        (row(SUCCESS), WAITING, LATER, Repair.NOTHING),
        (row(SUCCESS), WAITING, EARLIER, Repair.NOTHING),
        (row(SUCCESS, enqueued_at=None), WAITING, THIS, Repair.NOTHING),
        (row(FAILED, state=JobState.RETRYABLE), WAITING, THIS, Repair.NOTHING),
        (row(FAILED), revived(FINISHED_MS + 1), THIS, Repair.REQUEUE),
        (row(FAILED), revived(FINISHED_MS), THIS, Repair.REQUEUE),
        (row(FAILED), revived(FINISHED_MS - 1), THIS, Repair.RETIRE),
        (None, WAITING, THIS, Repair.OPEN),
        (None, EXECUTING, THIS, Repair.OPEN),
        (None, OVER, THIS, Repair.NOTHING),
        (None, ABSENT, Job(), Repair.NOTHING),
    ],
)  # fmt: skip
def test_repair(known: KnownRow | None, place: Place, job: Job, repair: Repair) -> None:
    """Each pair of what the row says and where the job is has its own repair."""
    assert decide(known, place, job) is repair


KNOWN = QueueRow(queue="q", marker="m", beat=5, server="s")


@pytest.mark.parametrize(
    ("job", "place", "repair"),
    [
        (row(SUCCESS), ABSENT, Repair.END_PART),
        (row(SUCCESS), OVER, Repair.END_PART),
        (row(CANCELLED), OVER, Repair.END_PART),
        (None, ABSENT, Repair.END_PART),
        (None, WAITING, Repair.NOTHING),
        (row(RUNNING), ABSENT, Repair.NOTHING),
        (row(RUNNING), EXECUTING, Repair.NOTHING),
        (row(FAILED), WAITING, Repair.NOTHING),
        (row(FAILED), EXECUTING, Repair.NOTHING),
    ],
)
def test_repair_of_a_part(job: KnownRow | None, place: Place, repair: Repair) -> None:
    """An open part is over with its job, when neither the job's row nor Redis say that it goes on."""
    assert decide_part(job, place) is repair


@pytest.mark.parametrize(
    ("known", "seen", "server", "verdict"),
    [
        (None, Watch("", 0), "s", Verdict.NEW),
        (None, Watch("m", 5), "s", Verdict.STRANGE),
        (KNOWN, Watch("", 0), "s", Verdict.EMPTY),
        (KNOWN, Watch("", 0), "t", Verdict.EMPTY),
        (KNOWN, Watch("n", 9), "s", Verdict.STRANGE),
        (KNOWN, Watch("m", 4), "s", Verdict.SET_BACK),
        (KNOWN, Watch("m", 5), "t", Verdict.MOVED),
        (KNOWN, Watch("m", 5), "s", Verdict.SAME),
        (KNOWN, Watch("m", 6), "s", Verdict.SAME),
    ],
)
def test_verdict(known: QueueRow | None, seen: Watch, server: str | None, verdict: Verdict) -> None:
    """The marker, its number and the server tell whether Redis is the one that the ledger knows."""
    assert judge(known, seen, server) is verdict
