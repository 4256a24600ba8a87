"""Rows of parts of jobs, `<job id>:2` say, whose jobs ended without them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reconcile_toys import LONG_AGO, Desk

from arqlite.ledger.rows import utc_now
from arqlite.model.states import Cause, LedgerStatus
from arqlite.reconcile.comparison import PART_GRACE
from arqlite.reconcile.once import reconcile_once

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus
ENDED_AT = LONG_AGO + timedelta(hours=1)


async def part(desk: Desk, status: LedgerStatus = RUNNING, job_id: str = "j:2", parent: str = "j") -> None:
    """Write the open row of a part, as a runner does."""
    await desk.row(job_id, status=status, parent=parent, record=None, pushed_at=None)


@pytest.mark.parametrize("status", [RUNNING, QUEUED])
@pytest.mark.parametrize(
    ("job", "end"),
    [
        (SUCCESS, (FAILED, Cause.LOST)),
        (FAILED, (FAILED, Cause.LOST)),
        (CANCELLED, (CANCELLED, Cause.SHUTDOWN)),
    ],
)
async def test_part_ends_with_its_job(
    desk: Desk, status: LedgerStatus, job: LedgerStatus, end: tuple[LedgerStatus, Cause]
) -> None:
    """A part that was left open by a job that is over is lost, or cancelled for the reason its job was."""
    await desk.settle()
    await desk.row("j", status=job, cause=Cause.SHUTDOWN if job is CANCELLED else None)
    await part(desk, status)

    await desk.tick(2)

    row = await desk.read("j:2")
    assert row is not None
    assert (row.status, row.cause, row.finished_at) == (*end, ENDED_AT)
    assert (row.error_payload or {}).get("type") == (None if job is CANCELLED else "JobLost")
    assert await desk.audited() == ["reconcile.end_part"]


async def test_part_whose_job_has_no_row_any_more_is_lost(desk: Desk) -> None:
    """The job's row was pruned while the part stood open: nobody will close that."""
    await desk.settle()
    await part(desk)

    await desk.tick(2)

    row = await desk.read("j:2")
    assert row is not None
    assert (row.status, row.cause) == (FAILED, Cause.LOST)


@pytest.mark.parametrize("status", [RUNNING, QUEUED])
async def test_part_of_a_job_that_goes_on_is_left_alone(desk: Desk, status: LedgerStatus) -> None:
    """While the job waits in Redis or by its row, its parts are its own."""
    await desk.settle()
    await desk.enqueue("j")
    await desk.row("j")
    await part(desk, status)

    await desk.tick(3)

    row = await desk.read("j:2")
    assert row is not None
    assert row.status is status


async def test_part_of_a_job_that_ended_just_now_is_left_alone(desk: Desk) -> None:
    """It may go on in a task, and is about to write down its own end."""
    await desk.settle()
    await desk.row("j", status=SUCCESS, finished_at=utc_now() - PART_GRACE + timedelta(minutes=1))
    await part(desk)

    await desk.tick(3)

    row = await desk.read("j:2")
    assert row is not None
    assert row.status is RUNNING


async def test_part_waits_for_the_row_of_its_job(desk: Desk) -> None:
    """While the row of its job is open, for nobody has settled that yet, a part stays as it is."""
    await desk.settle()
    await desk.row("j", status=RUNNING, record=None)
    await part(desk)

    await desk.tick(3)

    job, row = await desk.read("j"), await desk.read("j:2")
    assert job is not None
    assert row is not None
    assert (job.status, row.status) == (FAILED, RUNNING)


async def test_job_that_was_enqueued_by_another_is_no_part(desk: Desk) -> None:
    """It has a parent, and an id that begins as that one's: it keeps what it is pushed from."""
    await desk.settle()
    await desk.row("j", status=SUCCESS)
    await desk.row("j:2", parent="j")

    await desk.tick(2)

    assert await desk.claim() == ["j:2"]


async def test_part_is_ended_on_demand(desk: Desk) -> None:
    """`arqlite reconcile` does so, too, and counts it as settled."""
    await desk.settle()
    await desk.row("j", status=SUCCESS)
    await part(desk)
    comparison, mender = desk.reconciler._comparison, desk.reconciler._mender

    told = await reconcile_once(comparison, None, sleep=desk._wait)
    mended = await reconcile_once(comparison, mender, sleep=desk._wait)

    assert (told.settled, str(mended)) == (1, "1 settled")
    row = await desk.read("j:2")
    assert row is not None
    assert row.status is FAILED
